"""The regularised solve against float64 references, and where it fails."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.kernels.dense import dense_kernel
from dd_jax.kernels.ridge import Ridge, predict, solve
from dd_jax.types import UserError

RIDGES = [Ridge(1e-3, 'trace'), Ridge(0.05, 'absolute')]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
  return np.random.default_rng(seed).normal(size=shape)


def gram(n: int = 5, d: int = 7, seed: int = 0) -> np.ndarray:
  a = normal(n, d, seed=seed)
  return a @ a.T / d


def with_spectrum(eigenvalues: list[float]) -> np.ndarray:
  n = len(eigenvalues)
  q = np.linalg.qr(normal(n, n))[0]
  k = (q * np.array(eigenvalues)) @ q.T
  return (k + k.T) / 2


def by_numpy(k: np.ndarray, y: np.ndarray, penalty: float) -> np.ndarray:
  k = np.asarray(k, np.float64)
  return np.linalg.solve(k + penalty * np.eye(len(k)), np.asarray(y))


def penalty_of(k: np.ndarray, ridge: Ridge) -> float:
  mean = np.trace(np.asarray(k, np.float64)) / len(k)
  return ridge.value * (mean if ridge.rule == 'trace' else 1)


def relative_error(got: jax.Array, want: np.ndarray) -> float:
  return float(np.linalg.norm(got - want) / np.linalg.norm(want))


def dense(k: jax.Array, y: jax.Array, ridge: Ridge) -> jax.Array:
  """The definition, differentiated by JAX through a general solver."""
  scale = jnp.mean(jnp.diagonal(k)) if ridge.rule == 'trace' else 1
  return jnp.linalg.solve(k + ridge.value * scale * jnp.eye(len(k)), y)


def test_rules_give_lambda():
  k = jnp.diag(jnp.asarray([1.0, 2.0, 6.0]))
  assert Ridge() == Ridge(1e-6, 'trace')
  np.testing.assert_allclose(Ridge(0.1, 'trace').penalty(k), 0.3, rtol=1e-6)
  np.testing.assert_allclose(Ridge(0.1, 'absolute').penalty(k), 0.1, rtol=1e-6)
  for rule in ('trace', 'absolute'):
    penalty = Ridge(0.1, rule).penalty(k)
    assert penalty.dtype == k.dtype and penalty.shape == ()


def test_an_unknown_rule_is_refused_in_one_line():
  with pytest.raises(UserError, match=r"'mean'.*'trace', 'absolute'"):
    solve(jnp.eye(2), jnp.eye(2), Ridge(0.1, 'mean'))


@pytest.mark.parametrize('ridge', RIDGES)
def test_solve_equals_numpy(x64, ridge):
  k, y = gram(), normal(5, 3, seed=1)
  weights, raised = solve(jnp.asarray(k), jnp.asarray(y), ridge)
  want = by_numpy(k, y, penalty_of(k, ridge))
  np.testing.assert_allclose(weights, want, rtol=1e-12)
  assert raised == 0 and weights.dtype == jnp.float64


@pytest.mark.parametrize('ridge', RIDGES)
def test_predict_equals_numpy(x64, ridge):
  k, k_ts, y = gram(), normal(4, 5, seed=2), normal(5, 3, seed=1)
  prediction, raised = predict(k, k_ts, y, ridge)
  want = k_ts @ by_numpy(k, y, penalty_of(k, ridge))
  np.testing.assert_allclose(prediction, want, rtol=1e-12)
  assert raised == 0


@pytest.mark.parametrize('ridge', RIDGES)
def test_derivatives_equal_those_of_the_definition(x64, ridge):
  k, y = jnp.asarray(gram()), jnp.asarray(normal(5, 3, seed=1))
  # The solve takes K to be symmetric: only symmetric changes have a meaning.
  symmetric = lambda k: (k + k.T) / 2
  ours = lambda k, y: solve(symmetric(k), y, ridge).weights
  theirs = lambda k, y: dense(symmetric(k), y, ridge)
  dk = gram(seed=3)

  def orders(function):
    value = lambda k, y: jnp.sum(jnp.sin(function(k, y)))
    gradient = jax.grad(value, (0, 1))
    tangents = (dk, jnp.cos(y))
    return (
      gradient(k, y),
      jax.jvp(function, (k, y), tangents),
      jax.jvp(gradient, (k, y), tangents),
      jax.grad(lambda k, y: jnp.vdot(gradient(k, y)[1], jnp.cos(y)), (0, 1))(
        k, y
      ),
    )

  got, want = jax.jit(lambda: (orders(ours), orders(theirs)))()
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * abs(b).max())


def test_gradients_equal_finite_differences(x64):
  @jax.jit
  def function(a: jax.Array, b: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.sum(jnp.sin(predict(a @ a.T, b @ a.T, y, Ridge(0.1))[0]))

  args = (normal(4, 6), normal(3, 6, seed=1), normal(4, 2, seed=2))
  gradients = jax.jit(jax.grad(function, (0, 1, 2)))(*args)
  for i, gradient in enumerate(gradients):
    step = 1e-5 * normal(*args[i].shape, seed=9)
    ahead, behind = (
      function(*args[:i], args[i] + s, *args[i + 1 :]) for s in (step, -step)
    )
    got = jnp.vdot(gradient, 2 * step)
    np.testing.assert_allclose(got, ahead - behind, rtol=1e-6)


def crowded(dtype: type) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """An NTK regression whose support holds every image three times."""
  support = np.tile(normal(20, 12), (3, 1)).astype(dtype)
  target = normal(30, 12, seed=1).astype(dtype)
  kernel = dense_kernel('ntk')
  y = np.tile(normal(20, 4, seed=2), (3, 1)).astype(dtype)
  kernel = jax.jit(kernel)
  k_ss, k_ts = kernel(support, None), kernel(target, support)
  return np.asarray(k_ss), np.asarray(k_ts), y


def test_float32_with_duplicates_predicts_as_float64(x64):
  """At condition 1e8, where float32 weights have no right digit left."""
  ridge = Ridge(1e-6, 'trace')
  k_ss, k_ts, y = crowded(np.float64)
  assert np.linalg.cond(k_ss + penalty_of(k_ss, ridge) * np.eye(60)) > 1e7
  want = k_ts @ by_numpy(k_ss, y, penalty_of(k_ss, ridge))
  single = [jnp.float32(a) for a in crowded(np.float32)]
  got, raised = jax.jit(predict, static_argnums=3)(*single, ridge)
  assert got.dtype == jnp.float32 and raised == 0
  assert relative_error(got, want) < 1e-5


def test_float32_label_gradient_with_duplicates_is_that_of_float64(x64):
  """Copies share their gradient; how it is split among them is rounding."""
  ridge = Ridge(1e-6, 'trace')

  def gradient(dtype: type) -> jax.Array:
    k_ss, k_ts, y = (jnp.asarray(a, dtype) for a in crowded(dtype))
    value = lambda y: jnp.sum(predict(k_ss, k_ts, y, ridge)[0] ** 2)
    return jax.jit(jax.grad(value))(y).reshape(3, 20, 4)

  got, want = gradient(np.float32), gradient(np.float64)
  assert relative_error(got.mean(0), want.mean(0)) < 1e-5
  assert relative_error(got, want) < 0.5


@pytest.mark.parametrize('condition', [1e2, 1e4, 1e6])
def test_float32_weights_are_as_good_as_the_condition_allows(condition):
  k = jnp.float32(with_spectrum(list(np.geomspace(1, 1 / condition, 40))))
  y = jnp.float32(normal(40, 2))
  weights, raised = solve(k, y, Ridge(0.0, 'absolute'))
  assert raised == 0
  bound = condition * float(jnp.finfo(k.dtype).eps)
  assert relative_error(weights, by_numpy(k, y, 0)) < bound


def indefinite() -> np.ndarray:
  """Needs lambda above 3e-3 of the mean diagonal, which is 1."""
  return with_spectrum([2.0, 1.5, 1.0, 0.503, -0.003])


@pytest.mark.parametrize('rule', ['trace', 'absolute'])
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_lambda_is_raised_tenfold_until_it_factorises(x64, rule, dtype):
  k, y = jnp.asarray(indefinite(), dtype), jnp.asarray(normal(5, 2), dtype)
  weights, raised = solve(k, y, Ridge(1e-6, rule))
  assert raised == 4 and raised.dtype == jnp.int32
  tolerance = 1e-4 if dtype == 'float32' else 1e-10
  np.testing.assert_allclose(weights, by_numpy(k, y, 1e-2), rtol=tolerance)


def test_the_gradient_is_that_of_the_raised_lambda(x64):
  k, y = jnp.asarray(indefinite()), jnp.asarray(normal(5, 2))
  ours = lambda k, y: jnp.sum(jnp.sin(solve(k, y, Ridge(1e-6)).weights))
  theirs = lambda k, y: jnp.sum(jnp.sin(dense(k, y, Ridge(1e-2, 'trace'))))
  for got, want in zip(
    jax.grad(ours, (0, 1))(k, y), jax.grad(theirs, (0, 1))(k, y), strict=True
  ):
    np.testing.assert_allclose(
      got, want, rtol=1e-8, atol=1e-8 * abs(want).max()
    )


def test_a_lambda_of_zero_starts_from_rounding():
  a = jnp.float32(normal(30, 3))
  k = a @ a.T  # rank 3: indefinite by rounding
  weights, raised = solve(k, jnp.float32(normal(30, 2)), Ridge(0.0))
  assert 1 <= raised <= 3
  assert jnp.isfinite(weights).all()


def test_raising_is_bounded():
  for k in (-jnp.eye(3), jnp.full((3, 3), jnp.nan)):
    assert jax.jit(lambda k: solve(k, jnp.eye(3), Ridge()))(k).raised == 6


def test_rounding_of_every_size_gives_finite_weights():
  y = jnp.float32(normal(40, 2))
  run = jax.jit(lambda k: solve(k, y, Ridge(1e-9)))
  count = 0
  for scale in (1e-12, 1e-3, 1.0, 1e6):
    x = jnp.float32(np.tile(normal(10, 5), (4, 1)))
    weights, raised = run(scale * (x @ x.T))
    assert jnp.isfinite(weights).all()
    count += int(raised)
  assert count > 0


def test_jit_vmap_and_scan_change_nothing(x64):
  ks = jnp.asarray(np.stack([gram(), indefinite(), gram(seed=4)]))
  y = jnp.asarray(normal(5, 2))
  ridge = Ridge(1e-6)

  def one(k: jax.Array) -> tuple[jax.Array, ...]:
    value = lambda k: jnp.sum(solve(k, y, ridge).weights ** 2)
    return *solve(k, y, ridge), jax.grad(value)(k)

  want = [jnp.stack(a) for a in zip(*map(jax.jit(one), ks), strict=True)]
  assert list(want[1]) == [0, 4, 0]
  scanned = jax.lax.scan(lambda c, k: (c, one(k)), None, ks)[1]
  mapped = jax.jit(jax.vmap(one))(ks)
  for got in (scanned, mapped):
    for a, b in zip(got, want, strict=True):
      np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * abs(b).max())
