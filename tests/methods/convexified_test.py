"""The convexified inner problem against dense algebra and differences."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree
from precision import in_double

from dd_jax.methods.convexified import inner_problem, linearised
from dd_jax.networks import NETWORKS
from dd_jax.training import fresh_model
from dd_jax.types import UserError

CLASSES, SHAPE = 3, (4, 4, 1)
KEY = jax.random.key(0)


def network():
  return in_double(NETWORKS['mlp'](SHAPE, CLASSES, width=12))


@pytest.mark.usefixtures('x64')
def test_inner_problem_is_dense_algebra():
  learner = network()
  tangent = linearised(learner, fresh_model(learner, optax.sgd(0.1), KEY))
  rng = np.random.default_rng(0)
  image = jnp.asarray(rng.normal(size=(5, *SHAPE)))
  label = rng.normal(size=(5, CLASSES))
  problem = inner_problem(tangent, image, 0.3, 200)
  flat, unravel = ravel_pytree(tangent.weights)
  run = lambda w: tangent.forward(unravel(w), image)[1].ravel()
  j = np.asarray(jax.jacobian(run)(flat))
  h = np.asarray(tangent.forward(tangent.weights, image)[0])
  system = np.kron(h @ h.T + 0.3 * np.eye(5), np.eye(CLASSES))
  delta = j.T @ np.linalg.solve(system + j @ j.T, label.ravel())
  found = ravel_pytree(problem.optimum(jnp.asarray(label)))[0]
  np.testing.assert_allclose(found, delta, atol=1e-6)
  g = rng.normal(size=flat.size)
  hessian = np.eye(flat.size) + j.T @ np.linalg.solve(system, j)
  found = ravel_pytree(problem.inverse_hessian(unravel(jnp.asarray(g))))[0]
  np.testing.assert_allclose(found, np.linalg.solve(hessian, g), atol=1e-5)


def test_linearises_around_the_network_itself():
  """Its tangent is what logits do when the weights move a little."""
  learner = NETWORKS['frepo_convnet'](
    (8, 8, 1), CLASSES, width=3, depth=2, norm='batch', sharpness=60.0
  )
  tangent = linearised(learner, fresh_model(learner, optax.sgd(0.1), KEY))
  x = jax.random.normal(KEY, (2, 8, 8, 1))
  delta = jax.tree.map(jnp.ones_like, tangent.weights)
  _, jvp = tangent.at(x)
  moved = optax.tree.add_scale(tangent.weights, 1e-3, delta)
  back = optax.tree.add_scale(tangent.weights, -1e-3, delta)
  run = lambda w: tangent.forward(w, x)[1]
  np.testing.assert_allclose(
    jvp(delta), (run(moved) - run(back)) / 2e-3, rtol=0.02, atol=0.02
  )


def test_vjp_and_jvp_are_transposes():
  learner = network()
  tangent = linearised(learner, fresh_model(learner, optax.sgd(0.1), KEY))
  rng = np.random.default_rng(1)
  x = jnp.asarray(rng.normal(size=(4, *SHAPE)), jnp.float32)
  cotangent = jnp.asarray(rng.normal(size=(4, CLASSES)), jnp.float32)
  delta = jax.tree.map(
    lambda a: jnp.asarray(rng.normal(size=a.shape), jnp.float32),
    tangent.weights,
  )
  left = optax.tree.vdot(tangent.vjp(x, cotangent), delta)
  right = jnp.vdot(cotangent, tangent.at(x)[1](delta))
  assert float(left) == pytest.approx(float(right), rel=1e-4)


def test_refuses_a_network_without_a_head():
  learner = network()
  renamed = learner._replace(init=lambda key: {'params': {'last': key}})
  model = fresh_model(renamed, optax.sgd(0.1), KEY)
  with pytest.raises(UserError, match="called 'head'; this one has last"):
    linearised(renamed, model)
