"""Exact dense kernels against brute force, wide networks and differences."""

import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from dd_jax.kernels.dense import dense_kernel, relu_moments
from dd_jax.types import UserError

DIM = 6


def points(n: int, seed: int = 0, dim: int = DIM) -> np.ndarray:
  return np.random.default_rng(seed).normal(size=(n, dim))


# The recursion, one pair of inputs at a time, in Python's own float64.


def relu_pair(k: float, p: float, q: float) -> tuple[float, float]:
  """`(E[f(u) f(v)], E[f'(u) f'(v)])`, from Cho and Saul's J1 and J0."""
  theta = math.acos(max(-1.0, min(1.0, k / math.sqrt(p * q))))
  j1 = math.sin(theta) + (math.pi - theta) * math.cos(theta)
  j0 = math.pi - theta
  return math.sqrt(p * q) * j1 / (2 * math.pi), j0 / (2 * math.pi)


def erf_pair(k: float, p: float, q: float) -> tuple[float, float]:
  """The same of erf: Williams 1996, and its derivative in `k`."""
  r = (1 + 2 * p) * (1 + 2 * q)
  value = 2 / math.pi * math.asin(2 * k / math.sqrt(r))
  return value, 4 / math.pi / math.sqrt(r - 4 * k * k)


PAIRS = {'relu': relu_pair, 'erf': erf_pair}


def brute_force(
  x1: np.ndarray,
  x2: np.ndarray,
  *,
  depth: int = 1,
  activation: str = 'relu',
  w_std: float = 2**0.5,
  b_std: float = 0.1,
  width: int | None = None,
) -> dict[str, np.ndarray]:
  """Both kernels, entry by entry; a width means standard parametrisation."""
  pair = PAIRS[activation]

  def tangent(sigma: float, fan_in: int) -> float:
    """What this layer's own weights and biases add."""
    if width is None:
      return w_std**2 * sigma + b_std**2
    return fan_in * sigma + 1

  def entry(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    moments = [float(u @ v) / len(a) for u, v in ((a, b), (a, a), (b, b))]
    theta = tangent(moments[0], len(a))
    k, p, q = (w_std**2 * m + b_std**2 for m in moments)
    for _ in range(depth):
      sigma, slope = pair(k, p, q)
      theta = tangent(sigma, width or 0) + w_std**2 * slope * theta
      p, q = pair(p, p, p)[0], pair(q, q, q)[0]
      k, p, q = (w_std**2 * m + b_std**2 for m in (sigma, p, q))
    return k, theta

  both = np.array([[entry(a, b) for b in x2] for a in x1])
  return {'nngp': both[..., 0], 'ntk': both[..., 1]}


SETTINGS = [
  {},
  {'w_std': 1.3, 'b_std': 0.5},
  {'b_std': 0.0},
  {'width': 50, 'w_std': 1.1, 'b_std': 0.3},
]


@pytest.mark.parametrize('setting', SETTINGS)
@pytest.mark.parametrize('depth', [1, 2, 3])
@pytest.mark.parametrize('activation', PAIRS)
@pytest.mark.parametrize('get', ['nngp', 'ntk'])
def test_kernel_equals_brute_force(x64, get, activation, depth, setting):
  x1, x2 = points(4), points(3, seed=1)
  x2[0] = -0.4 * x1[0] + 0.01  # an angle near pi
  options: dict[str, Any] = {'depth': depth, 'activation': activation}
  want = brute_force(x1, x2, **options, **setting)[get]
  if 'width' in setting:
    options['parametrization'] = 'standard'
  kernel = dense_kernel(get, **options, **setting)
  got = kernel(jnp.asarray(x1), jnp.asarray(x2))
  np.testing.assert_allclose(got, want, rtol=1e-11)
  np.testing.assert_allclose(got, kernel(x2, x1).T, rtol=1e-12)


@pytest.mark.parametrize('activation', PAIRS)
@pytest.mark.parametrize('get', ['nngp', 'ntk'])
def test_float32_is_close_to_float64(get, activation):
  x1, x2 = points(20, dim=784), points(30, seed=1, dim=784)
  kernel = dense_kernel(get, depth=3, activation=activation)
  got = kernel(jnp.float32(x1), jnp.float32(x2))
  assert got.dtype == jnp.float32
  want = brute_force(x1, x2, depth=3, activation=activation)[get]
  np.testing.assert_allclose(got, want, rtol=0, atol=2e-6 * want.max())


@pytest.mark.parametrize('standard', [False, True])
@pytest.mark.parametrize('get', ['nngp', 'ntk'])
def test_images_are_flattened(x64, get, standard):
  x = points(4, dim=12)
  rule = 'standard' if standard else 'ntk'
  kernel = dense_kernel(get, parametrization=rule)
  want = kernel(x, x[:2])
  images = x.reshape(4, 2, 3, 2)
  np.testing.assert_allclose(kernel(images, images[:2]), want, rtol=1e-14)


# Wide networks.


def network(
  activation: str, w_std: float, b_std: float, width: int, standard: bool
) -> tuple[Any, Any]:
  """`(init, apply)` of a two-hidden-layer network with one output.

  NTK parametrisation: unit-variance weights, scaled in the forward pass.
  Standard: the scale is in the initial weights.
  """
  f = {'relu': jax.nn.relu, 'erf': jax.scipy.special.erf}[activation]
  sizes = (DIM, width, width, 1)

  def init(key: jax.Array) -> list[tuple[jax.Array, jax.Array]]:
    params = []
    for n, m in itertools.pairwise(sizes):
      key, kw, kb = jax.random.split(key, 3)
      w, b = jax.random.normal(kw, (n, m)), jax.random.normal(kb, (m,))
      if standard:
        w, b = w * w_std / n**0.5, b * b_std
      params.append((w, b))
    return params

  def apply(params: Any, x: jax.Array) -> jax.Array:
    for i, (w, b) in enumerate(params):
      x = f(x) if i else x
      if standard:
        x = x @ w + b
      else:
        x = x @ w * (w_std / x.shape[1] ** 0.5) + b * b_std
    return x[:, 0]

  return init, apply


def relative_error(got: jax.Array, want: jax.Array) -> float:
  return float(jnp.linalg.norm(got - want) / jnp.linalg.norm(want))


@pytest.mark.parametrize(
  'standard, w_std, b_std',
  [(False, 1.3, 0.4), (True, 1.3, 0.4), (True, 0.2, 0.05)],
  ids=['ntk', 'standard', 'standard, mostly biases'],
)
@pytest.mark.parametrize('activation', PAIRS)
def test_wide_networks_have_the_kernel(activation, standard, w_std, b_std):
  """Outputs' covariance is the NNGP; the gradients' inner product the NTK."""
  width = 64
  init, apply = network(activation, w_std, b_std, width, standard)
  x = jnp.float32(points(5))

  def tangent(key: jax.Array) -> jax.Array:
    jacobian = jax.jacrev(apply)(init(key), x)
    flat = [a.reshape(len(x), -1) for a in jax.tree.leaves(jacobian)]
    return sum(a @ a.T for a in flat)

  keys = jax.random.split(jax.random.key(0), 2000)
  outputs = jax.jit(jax.vmap(lambda key: apply(init(key), x)))(keys)
  tangents = jax.jit(lambda keys: jax.lax.map(tangent, keys))(keys[:300])
  options: dict[str, Any] = {'depth': 2, 'activation': activation}
  options |= {'w_std': w_std, 'b_std': b_std}
  if standard:
    options |= {'parametrization': 'standard', 'width': width}
  nngp, ntk = (
    jax.jit(dense_kernel(get, **options))(x) for get in ('nngp', 'ntk')
  )
  assert relative_error(outputs.T @ outputs / len(keys), nngp) < 0.1
  assert relative_error(tangents.mean(0), ntk) < 0.06


# Shape of the kernel.


OPTIONS = [
  {'activation': a, 'depth': d, 'parametrization': p}
  for a in PAIRS
  for d, p in ((1, 'ntk'), (3, 'ntk'), (2, 'standard'))
]


@pytest.mark.parametrize('options', OPTIONS, ids=str)
@pytest.mark.parametrize('get', ['nngp', 'ntk'])
def test_none_stands_for_the_first_argument(x64, get, options):
  x = jnp.asarray(points(6))
  kernel = dense_kernel(get, **options)
  # A duplicate's angle is sqrt(eps): what the snap to zero is for.
  np.testing.assert_allclose(kernel(x, None), kernel(x, x), rtol=1e-13)
  single = kernel(jnp.float32(x), None)
  both = kernel(jnp.float32(x), jnp.float32(x))
  np.testing.assert_allclose(single, both, rtol=2e-6)


@pytest.mark.parametrize('options', OPTIONS, ids=str)
@pytest.mark.parametrize('get', ['nngp', 'ntk'])
def test_kernel_is_symmetric_and_positive_semidefinite(x64, get, options):
  x = np.concatenate([points(8, dim=3), np.zeros((1, 3)), np.ones((2, 3))])
  x = np.concatenate([x, -x, 2 * x])
  k = np.asarray(dense_kernel(get, **options)(jnp.asarray(x)))
  np.testing.assert_array_equal(k, k.T)
  eigenvalues = np.linalg.eigvalsh(k)
  assert eigenvalues[0] > -1e-13 * eigenvalues[-1]


# Derivatives.


def assert_gradient(function: Any, *args: np.ndarray) -> None:
  """The gradient of a scalar equals central differences, by argument."""
  function = jax.jit(function)
  gradients = jax.jit(jax.grad(function, tuple(range(len(args)))))(*args)
  for i, (x, gradient) in enumerate(zip(args, gradients, strict=True)):
    step = 1e-5 * np.random.default_rng(9).normal(size=x.shape)
    ahead, behind = (
      function(*args[:i], x + s, *args[i + 1 :]) for s in (step, -step)
    )
    want = (ahead - behind) / 2
    np.testing.assert_allclose(jnp.vdot(gradient, step), want, rtol=1e-6)


@pytest.mark.parametrize('options', OPTIONS, ids=str)
@pytest.mark.parametrize('get', ['nngp', 'ntk'])
def test_gradients_equal_finite_differences(x64, get, options):
  """In both arguments; and of one set with itself, its diagonal included."""
  kernel = dense_kernel(get, **options)
  x1, x2 = points(3), points(2, seed=1)
  across, own = points(3, seed=2, dim=2), points(3, seed=3, dim=3)
  assert_gradient(lambda a, b: jnp.vdot(across, kernel(a, b)), x1, x2)
  assert_gradient(lambda a: jnp.vdot(own, kernel(a)), x1)


def test_second_derivatives_of_the_nngp_equal_finite_differences(x64):
  kernel = dense_kernel('nngp', depth=2)
  value = lambda a, b: jnp.sum(jnp.sin(kernel(a, b)))

  def slope(a: jax.Array, b: jax.Array) -> jax.Array:
    gradients = jax.grad(value, (0, 1))(a, b)
    return sum(jnp.sum(jnp.sin(g)) for g in gradients)

  assert_gradient(slope, points(3), points(2, seed=1))


@pytest.mark.parametrize('options', OPTIONS, ids=str)
def test_gradients_of_none_and_of_the_same_array_agree(x64, options):
  x = jnp.asarray(points(4))
  weight = jnp.asarray(points(4, seed=2, dim=4))
  # The diagonal is the cusp: there None gives the exact derivative.
  weight = weight - jnp.diag(jnp.diag(weight))
  kernel = dense_kernel('ntk', **options)
  none = lambda x: jnp.vdot(weight, kernel(x, None))
  same = lambda x: jnp.vdot(weight, kernel(x, x))
  one, other = jax.jit(lambda: (jax.grad(none)(x), jax.grad(same)(x)))()
  np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_the_nngp_at_a_duplicate_has_its_exact_derivative(x64):
  """ReLU's NNGP has no cusp at angle zero, so nothing may be dropped."""
  x = points(3)
  for activation in PAIRS:
    kernel = jax.jit(dense_kernel('nngp', activation=activation, depth=2))
    apart = jax.grad(lambda y: jnp.sum(kernel(x, y)))(x)  # noqa: B023
    step = 1e-5 * points(3, seed=3)
    ahead, behind = (kernel(x, x + s).sum() for s in (step, -step))
    np.testing.assert_allclose(
      jnp.vdot(apart, 2 * step), ahead - behind, rtol=1e-4
    )


CROWDS = {
  'duplicates': np.repeat(points(2), 3, 0),
  'nearly duplicates': points(1) + 1e-7 * points(6, seed=1),
  'zero rows': np.concatenate([np.zeros((2, DIM)), points(4)]),
  'flips': np.concatenate([points(3), points(3)[:, ::-1]]),
  'opposites': np.concatenate([points(3), -points(3)]),
  'constant images': np.arange(-3.0, 3.0)[:, None] * np.ones(DIM),
  'multiples': points(1) * np.array([[1], [2], [-3], [1e-3], [-1e-3], [1e3]]),
  'tiny': 1e-18 * points(6),
  'huge': 255 * points(6),
}


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('activation', PAIRS)
def test_all_is_finite_in_a_crowd(optimised, x64, activation, dtype):
  weight = jnp.asarray(points(6, seed=2), dtype)

  def everything(x: jax.Array, b_std: jax.Array) -> Any:
    # The NTK holds the NNGP, its derivative and those of both.
    kernel = dense_kernel(depth=2, activation=activation, b_std=b_std)
    own = lambda x: jnp.vdot(weight, kernel(x))
    pair = lambda a, b: jnp.vdot(weight, kernel(a, b))
    gradients = jax.grad(own)(x), *jax.grad(pair, (0, 1))(x, x)
    return kernel(x), kernel(x, x), *gradients

  everything = jax.jit(everything)
  for name, crowd in CROWDS.items():
    for b_std in (0.0, 0.1):
      x = jnp.asarray(crowd, dtype)
      for a in everything(x, jnp.asarray(b_std, dtype)):
        assert a.dtype == x.dtype
        assert jnp.isfinite(a).all(), (name, b_std)


def test_both_arguments_get_a_gradient():
  kernel = dense_kernel()
  gradients = jax.jit(jax.grad(lambda a, b: kernel(a, b).sum(), (0, 1)))(
    jnp.float32(points(3)), jnp.float32(points(2, seed=1))
  )
  assert all(jnp.all(g != 0) for g in gradients)


def test_relu_moments_have_the_derivative_of_their_values(x64):
  draw = np.random.default_rng(0)
  q1, q2 = draw.uniform(0.5, 2, (4, 1)), draw.uniform(0.5, 2, (1, 3))
  k = draw.uniform(-0.9, 0.9, (4, 3)) * np.sqrt(q1 * q2)
  check_grads(jax.jit(relu_moments), (k, q1, q2), order=2)
  value, slope = relu_moments(k, q1, q2)
  want = np.vectorize(relu_pair)(k, q1, q2)
  np.testing.assert_allclose((value, slope), want, rtol=1e-13)


def test_relu_moments_at_the_ends_are_exact():
  q = jnp.ones((1, 1))
  for k, want in ((1.0, (0.5, 0.5)), (-1.0, (0.0, 0.0))):
    value, slope = relu_moments(k * q, q, q)
    assert (float(value[0, 0]), float(slope[0, 0])) == want
    tangent = jax.jvp(relu_moments, (k * q, q, q), (q, 0 * q, 0 * q))[1]
    # dK'/dk is the slope; the slope's own cusp is cut to zero.
    assert (float(tangent[0][0, 0]), float(tangent[1][0, 0])) == (want[1], 0)


def test_jit_and_vmap_change_nothing(x64):
  x, y = jnp.asarray(points(6)).reshape(2, 3, DIM), jnp.asarray(points(4))
  for activation in PAIRS:
    kernel = dense_kernel('ntk', activation=activation, depth=2)
    want = jnp.stack([kernel(a, y) for a in x])
    got = jax.jit(jax.vmap(kernel, (0, None)))(x, y)
    np.testing.assert_allclose(got, want, rtol=1e-12)
    own = jax.vmap(kernel)(x)
    np.testing.assert_allclose(own[1], kernel(x[1]), rtol=1e-12)


@pytest.mark.parametrize(
  'options, words',
  [
    ({'get': 'cntk'}, ["kernel.get='cntk'", 'nngp']),
    ({'activation': 'gelu'}, ["kernel.activation='gelu'", 'erf']),
    ({'parametrization': 'mup'}, ["kernel.parametrization='mup'", 'standard']),
    ({'depth': 0}, ['kernel.depth=0', '1 and more']),
  ],
)
def test_what_is_not_allowed_is_refused_in_one_line(options, words):
  with pytest.raises(UserError) as error:
    dense_kernel(**options)
  assert all(word in str(error.value) for word in words)
  assert '\n' not in str(error.value)
