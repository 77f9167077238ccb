"""The discrepancy against brute force, and its own limits."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dd_jax import losses
from dd_jax.methods.dm import dm
from dd_jax.methods.m3d import m3d

KEY = jax.random.key(0)


def brute_force(x, y, widths=losses.BANDWIDTHS):
  """M3D's discrepancy, one pair of points at a time."""
  pool = [*x, *y]
  pairs = [
    np.sum((a - b) ** 2)
    for i, a in enumerate(pool)
    for j, b in enumerate(pool)
    if i != j
  ]
  h = np.mean(pairs)
  kernel = lambda a, b: sum(
    np.exp(-np.sum((a - b) ** 2) / (w * h)) for w in widths
  )
  mean = lambda p, q: np.mean([kernel(a, b) for a in p for b in q])
  return mean(x, x) + mean(y, y) - 2 * mean(x, y)


def clouds(n=7, m=3, d=5):
  rng = np.random.default_rng(1)
  return rng.normal(size=(n, d)), 0.5 + rng.normal(size=(m, d))


def test_m3d_equals_a_brute_force_discrepancy(toys, x64):
  x, y = clouds()
  found = losses.gaussian_discrepancy(jnp.asarray(x), jnp.asarray(y))
  np.testing.assert_allclose(found, brute_force(x, y), rtol=1e-12)
  method = toys.make(m3d, optimizer=optax.sgd(1.0))
  state, batch, _, metrics = toys.step(method, toys.source(dtype=np.float64))
  expected = sum(map(brute_force, toys.real(batch), toys.support(state)))
  np.testing.assert_allclose(metrics['loss'], expected, rtol=1e-10)


def test_a_discrepancy_of_equal_clouds_is_zero_and_its_gradient_finite():
  x = jnp.asarray(clouds()[0], jnp.float32)
  same = jnp.ones((4, 3))
  for distance in (
    losses.mean_discrepancy,
    losses.gaussian_discrepancy,
    functools.partial(losses.fourier_discrepancy, KEY),
  ):
    np.testing.assert_allclose(distance(x, x), 0, atol=1e-6)
    for points in (x, same):
      gradient = jax.grad(distance, 1)(points, points)
      assert np.all(np.isfinite(gradient))


def test_the_linear_kernel_is_dm(toys):
  outcomes = [
    toys.step(toys.make(method, **settings))[2:]
    for method, settings in ((dm, {}), (m3d, {'discrepancy': 'linear'}))
  ]
  (one, first), (two, second) = outcomes
  np.testing.assert_allclose(first['loss'], second['loss'], rtol=1e-5)
  np.testing.assert_allclose(
    one.params['data']['image'], two.params['data']['image'], rtol=1e-5
  )


def test_dm_is_the_limit_of_wide_gaussians(x64):
  x, y = (jnp.asarray(c) for c in clouds())
  width = 1e5
  h = brute_force_spread(x, y)
  wide = losses.gaussian_discrepancy(x, y, (width,)) * width * h / 2
  np.testing.assert_allclose(wide, losses.mean_discrepancy(x, y), rtol=1e-4)


def brute_force_spread(x, y):
  pool = np.concatenate([x, y])
  total = sum(np.sum((a - b) ** 2) for a in pool for b in pool)
  return total / (len(pool) * (len(pool) - 1))


def test_random_frequencies_tend_to_m3d(x64):
  x, y = (jnp.asarray(c) for c in clouds())
  expected = float(losses.gaussian_discrepancy(x, y))
  errors = []
  for count in (100, 100_000):
    found = [
      float(losses.fourier_discrepancy(jax.random.key(i), x, y, count))
      for i in range(8)
    ]
    errors.append(np.abs(np.array(found) - expected).mean())
  assert errors[1] < 0.01 * expected
  assert errors[0] > 5 * errors[1]  # falls as the square root of the count
