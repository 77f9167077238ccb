"""Invertible features, and the closed form against NumPy's ridge regression."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.kernels.feature_map import (
  add_equations,
  distilled_features,
  leaky_kernel,
  linear_kernel,
  no_equations,
)
from dd_jax.types import UserError

SHAPE = (4, 4, 2)


def images(n=5, seed=0):
  return jnp.asarray(np.random.default_rng(seed).normal(size=(n, *SHAPE)))


@pytest.mark.parametrize('depth', [1, 3])
@pytest.mark.usefixtures('x64')
def test_features_can_be_undone(depth):
  kernel = leaky_kernel(depth=depth, slope=0.3, seed=depth)
  x = images()
  phi = kernel.features(x)
  np.testing.assert_allclose(kernel.invert(phi), x.reshape(5, -1), atol=1e-12)
  assert not np.allclose(phi, leaky_kernel(depth=depth).features(x))


@pytest.mark.usefixtures('x64')
def test_one_layer_is_a_rotation_and_leaky_relu():
  straight = leaky_kernel(slope=1.0)
  x = images()
  flat = x.reshape(5, -1)
  np.testing.assert_allclose(straight(x), flat @ flat.T, atol=1e-12)
  rotated = straight.features(x)
  bent = leaky_kernel(slope=0.2).features(x)
  np.testing.assert_allclose(
    bent, np.where(rotated > 0, rotated, 0.2 * rotated)
  )


@pytest.mark.usefixtures('x64')
def test_kernels_are_inner_products():
  x, y = images(), images(3, 1)
  for kernel in (linear_kernel(), leaky_kernel()):
    a, b = kernel.features(x), kernel.features(y)
    np.testing.assert_allclose(kernel(x, y), a @ b.T, rtol=1e-12)
    np.testing.assert_allclose(kernel(x, None), a @ a.T, rtol=1e-12)


@pytest.mark.parametrize('ipc', [1, 3])
@pytest.mark.parametrize('rank', [2, 3])
@pytest.mark.usefixtures('x64')
def test_regression_on_the_distilled_gives_the_weights(ipc, rank):
  """Exactly, at the ridge for which it was made, whatever is around."""
  rng = np.random.default_rng(0)
  d, k, ridge = 20, 4, 1e-4
  basis = rng.normal(size=(k, rank))
  basis -= basis.mean(0)
  weights = rng.normal(size=(d, rank)) @ basis.T
  around = rng.normal(size=(k * ipc, d))
  found = jax.jit(distilled_features, static_argnums=2)(
    jnp.asarray(weights), jnp.asarray(around), ridge
  )
  phi = np.asarray(found.features)
  label = np.repeat(np.eye(k), ipc, 0) - 1 / k
  gram = phi @ phi.T
  system = gram + ridge * np.trace(gram) / len(gram) * np.eye(len(gram))
  again = phi.T @ np.linalg.solve(system, label)
  np.testing.assert_allclose(again, weights, atol=1e-10)
  assert 0 < found.slack <= 1
  distances = np.linalg.norm(phi[:, None] - phi[None], axis=-1)
  assert distances[~np.eye(len(phi), dtype=bool)].min() > 0.01


@pytest.mark.usefixtures('x64')
def test_slack_says_where_no_exact_solution_is():
  weights = np.array([[10.0, -10.0], [0.0, 0.0], [1.0, -1.0]])
  found = distilled_features(jnp.asarray(weights), jnp.zeros((2, 3)), 10.0)
  assert found.slack < 0
  assert np.all(np.isfinite(found.features))


def test_equations_add_up():
  rng = np.random.default_rng(0)
  phi, target = rng.normal(size=(9, 4)), rng.normal(size=(9, 2))
  sums = no_equations(4, 2, jnp.float32)
  for i in range(0, 9, 3):
    part = slice(i, i + 3)
    sums = add_equations(
      sums, jnp.asarray(phi[part], jnp.float32), target[part]
    )
  np.testing.assert_allclose(sums.gram, phi.T @ phi, rtol=1e-5, atol=1e-5)
  np.testing.assert_allclose(sums.moment, phi.T @ target, rtol=1e-5, atol=1e-5)


def test_mistakes_are_told_in_one_line():
  with pytest.raises(UserError, match="get='ntk': allowed for fixed"):
    linear_kernel('ntk')
  with pytest.raises(UserError, match='depth=0'):
    leaky_kernel(depth=0)
  with pytest.raises(UserError, match=r'slope=0\.0: allowed are above 0'):
    leaky_kernel(slope=0.0)
