"""The largest stable step size, and that descent is stable just below it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.data.source import resident
from dd_jax.evaluation.tangent import largest_step_size, tangent_test
from dd_jax.networks import NETWORKS
from dd_jax.types import LabeledData

SHAPE, CLASSES, SIZE = (4, 4, 1), 3, 5


@pytest.fixture
def problem():
  network = NETWORKS['mlp'](SHAPE, CLASSES, width=8, depth=1)
  image = jax.random.normal(jax.random.key(1), (SIZE, *SHAPE))
  return network, network.init(jax.random.key(0)), image


def test_it_is_that_of_the_whole_tangent_kernel(problem):
  network, variables, image = problem
  logits = lambda p: network.apply({**variables, 'params': p}, image)[0].logits
  jacobian = jax.tree.leaves(jax.jacrev(logits)(variables['params']))
  flat = [np.reshape(j, (SIZE * CLASSES, -1)) for j in jacobian]
  largest = np.linalg.eigvalsh(sum(j @ j.T for j in flat))[-1]
  got = largest_step_size(
    network, variables, image, key=jax.random.key(2), momentum=0.9
  )
  np.testing.assert_allclose(got, 2 * 1.9 * SIZE * CLASSES / largest, rtol=1e-3)


@pytest.mark.parametrize(('share', 'stable'), [(0.9, True), (1.1, False)])
def test_linearised_descent_converges_below_it_and_not_above(
  problem, share, stable
):
  network, variables, image = problem
  rate = share * largest_step_size(
    network, variables, image, key=jax.random.key(2), momentum=0.9
  )
  params = variables['params']
  logits = lambda p: network.apply({**variables, 'params': p}, image)[0].logits
  _, push = jax.linearize(logits, params)
  pull = jax.linear_transpose(push, params)

  def step(_: int, carry: tuple) -> tuple:
    moved, momentum = carry
    (gradient,) = pull((push(moved) - 1) / (SIZE * CLASSES))
    momentum = jax.tree.map(lambda m, g: 0.9 * m + g, momentum, gradient)
    moved = jax.tree.map(lambda p, m: p - rate * m, moved, momentum)
    return moved, momentum

  zero = jax.tree.map(jnp.zeros_like, params)
  moved, _ = jax.lax.fori_loop(0, 300, step, (zero, zero))
  assert (float(jnp.abs(push(moved) - 1).max()) < 10) == stable


@pytest.mark.parametrize('scale', [1.0, 10.0, 100.0])
def test_labels_of_any_size_are_fitted(problem, scale):
  """At the linearised network's step size all three end in no number."""
  network, _, image = problem
  number = np.arange(SIZE) % CLASSES
  label = scale * (jnp.eye(CLASSES)[number] - 1 / CLASSES)
  test = resident(np.asarray(image), number.astype(np.int32), CLASSES, None)
  keys = jax.random.split(jax.random.key(3), 4)
  found = tangent_test(network, 400)(keys, LabeledData(image, label), test)
  assert np.all(found > 0.7), found  # 0.4 is the first class's share
