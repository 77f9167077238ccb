"""Exact convolutional kernels against the full covariance, and differences."""

import functools
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.kernels import KERNELS, from_kernel_fn, to_kernel_fn
from dd_jax.kernels.conv import (
  ARCHITECTURES,
  avg_pool,
  conv,
  conv_kernel,
  dense,
  flatten,
  global_avg_pool,
  relu,
  serial,
)
from dd_jax.kernels.conv.angle import slope
from dd_jax.kernels.conv.layers import Shape
from dd_jax.kernels.conv.plan import plan
from dd_jax.kernels.conv.serial import named_layers
from dd_jax.platform import CPU
from dd_jax.types import UserError

# The recursion on all pixel pairs [n, m, y, x, y', x'], in NumPy's float64.

W_STD, B_STD = 1.3, 0.2


def box(k: np.ndarray) -> np.ndarray:
  """Sum over the nine common shifts of both pixels."""
  h, w = k.shape[2:4]
  padded = np.pad(k, ((0, 0), (0, 0)) + ((1, 1),) * 4)
  total = np.zeros_like(k)
  for i in range(3):
    for j in range(3):
      y, x = slice(i, i + h), slice(j, j + w)
      total += padded[:, :, y, x, y, x]
  return total


def relu_map(
  k: np.ndarray, p: np.ndarray, q: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """`(K', dK')` for variances `p [n, y, x]` and `q [m, y, x]`."""
  scale = np.sqrt(p[:, None, :, :, None, None] * q[None, :, None, None, :, :])
  cosine = np.clip(k / np.where(scale > 0, scale, 1), -1, 1)
  theta = np.arccos(cosine)
  value = scale * (np.sin(theta) + (np.pi - theta) * cosine)
  return value / (2 * np.pi), (np.pi - theta) / (2 * np.pi)


def pooled(k: np.ndarray) -> np.ndarray:
  n, m, h, w = k.shape[:4]
  h, w = h // 2, w // 2
  k = k[:, :, : 2 * h, : 2 * w, : 2 * h, : 2 * w]
  return k.reshape(n, m, h, 2, w, 2, h, 2, w, 2).mean((3, 5, 7, 9))


def variances(k: np.ndarray) -> np.ndarray:
  """Of every image with itself, `[n, y, x]`."""
  return np.einsum('nnabab->nab', k)


def joint(
  x: np.ndarray, layers: str, width: int | None = None
) -> dict[str, np.ndarray]:
  """Both kernels of all images with all, `[n, n]`; a width means standard."""
  fan_in = x.shape[-1]
  k = np.einsum('nabc,mdec->nmabde', x, x) / fan_in
  t = np.zeros_like(k)
  gain, bias = W_STD**2, B_STD**2
  for layer in layers:
    if layer == 'c':
      summed = box(k)
      k = gain / 9 * summed + bias
      own = k if width is None else fan_in * summed + 1
      t = own + gain / 9 * box(t)
      fan_in = width or fan_in
    elif layer == 'r':
      v = variances(k)
      k, h = relu_map(k, v, v)
      t = t * h
    elif layer == 'p':
      k, t = pooled(k), pooled(t)
  pixels = k.shape[2] * k.shape[3]
  if layers[-1] == 'f':
    k, t = (np.einsum('nmabab->nm', a) / pixels for a in (k, t))
    fan_in *= pixels
  else:
    k, t = k.mean((2, 3, 4, 5)), t.mean((2, 3, 4, 5))
  own = gain * k + bias if width is None else fan_in * k + 1
  return {'nngp': gain * k + bias, 'ntk': own + gain * t}


def build(layers: str, get: str, width: int | None = None) -> Any:
  table = {
    'c': conv(W_STD, B_STD, width),
    'r': relu(),
    'p': avg_pool(),
    'f': flatten(),
    'g': global_avg_pool(),
  }
  found = [table[x] for x in layers] + [dense(W_STD, B_STD, width)]
  return jax.jit(serial(found, get))


def images(n: int, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
  return np.random.default_rng(seed).normal(size=(n, *shape))


CASES = [
  ('crcrpcrpcrpf', (9, 13, 1), 'ntk'),  # KIP's ConvNet; odd sizes
  ('crpcrpf', (8, 8, 3), 'nngp'),
  ('crcrpcrpcrg', (8, 9, 3), 'ntk'),  # Myrtle-5; a plain axis, then circulant
  ('crpcrpf', (6, 12, 1), 'ntk'),  # a circulant axis, then plain
  ('crpcrpg', (7, 6, 2), 'nngp'),  # global average right behind a pool
  ('crf', (5, 4, 1), 'ntk'),
  ('ccrppf', (9, 8, 1), 'ntk'),  # no nonlinearity between two layers
]


@pytest.mark.parametrize(('layers', 'shape', 'get'), CASES)
def test_kernel_equals_full_covariance(x64, layers, shape, get):
  x = images(5, shape)
  x[4] = 1.1 * x[1]
  want = joint(x, layers)[get]
  got = build(layers, get)(x[:3], x[3:])
  atol = 1e-13 * want.max()
  np.testing.assert_allclose(got, want[:3, 3:], rtol=0, atol=atol)


@pytest.mark.parametrize('get', ['nngp', 'ntk'])
def test_one_batch_equals_full_covariance(x64, get):
  x = images(7, (6, 5, 2))  # 28 pairs: two blocks' worth of lanes
  want = joint(x, 'crcrpf')[get]
  got = build('crcrpf', get)(x, None)
  np.testing.assert_allclose(got, want, rtol=0, atol=1e-13 * want.max())
  np.testing.assert_array_equal(got, got.T)


def test_more_rows_than_a_block_holds(x64):
  x = images(150, (4, 4, 1))
  kernel = build('crpf', 'ntk')
  want = joint(x, 'crpf')['ntk']
  for n, m in ((140, 10), (10, 140), (75, 75)):
    got = kernel(x[:n], x[n : n + m])
    np.testing.assert_allclose(got, want[:n, n : n + m], rtol=1e-12)


@pytest.mark.parametrize('get', ['ntk'])
def test_standard_parametrisation(x64, get):
  x = images(4, (6, 4, 3))
  want = joint(x, 'crcrpcrf', width=7)[get]
  got = build('crcrpcrf', get, width=7)(x[:2], x[2:])
  np.testing.assert_allclose(got, want[:2, 2:], rtol=1e-13)


def test_dense_layers_after_flatten(x64):
  """Two dense layers behind the head are a dense kernel of its features."""
  x = images(4, (4, 4, 2))
  layers = [conv(W_STD, B_STD), avg_pool(), flatten()]
  hidden = [dense(W_STD, B_STD), relu(), dense(W_STD, B_STD)]
  got = jax.jit(serial([*layers, *hidden], 'nngp'))(x[:2], x[2:])
  k = joint(x, 'cpf')['nngp']
  v = np.diagonal(k)[:, None, None]
  want = relu_map(k[..., None, None, None, None], v, v)[0][..., 0, 0, 0, 0]
  want = W_STD**2 * want + B_STD**2
  np.testing.assert_allclose(got, want[:2, 2:], rtol=1e-13)


@pytest.mark.parametrize('get', ['ntk'])
def test_float32_is_close(get):
  x = images(8, (12, 12, 3))
  want = joint(x, 'crcrpcrpf')[get]
  got = build('crcrpcrpf', get)(jnp.float32(x), None)
  assert got.dtype == jnp.float32
  np.testing.assert_allclose(got, want, rtol=0, atol=5e-7 * want.max())


def test_slope_is_exact_for_every_correlation(x64):
  c = np.concatenate([np.linspace(-1, 1, 2001), [1 - 1e-9, -1 + 1e-9]])
  want = (np.pi - np.arccos(c)) / (2 * np.pi)
  np.testing.assert_allclose(slope(jnp.asarray(c)), want, rtol=0, atol=3e-16)
  got = slope(jnp.asarray(c, jnp.float32))
  near = np.abs(np.abs(np.float32(c)) - 1) < 1e-3
  exact = (np.pi - np.arccos(np.float32(c).astype(float))) / (2 * np.pi)
  np.testing.assert_allclose(got[~near], exact[~near], rtol=0, atol=1e-7)


# Gradients.


def directional(
  f: Any, x: np.ndarray, d: np.ndarray, size: float = 1e-5
) -> np.ndarray:
  return (f(x + size * d) - f(x - size * d)) / (2 * size)


@pytest.mark.parametrize(
  ('layers', 'shape', 'get'),
  [
    ('crcrpcrpf', (9, 7, 2), 'ntk'),
    ('crpcrg', (6, 7, 1), 'nngp'),
  ],
)
def test_gradients_are_exact_in_both_arguments(x64, layers, shape, get):
  kernel = build(layers, get)
  x, y, dx, dy = (images(3, shape, seed) for seed in range(4))
  y, dy = y[:2], dy[:2]
  weight = np.random.default_rng(4).normal(size=(3, 2))
  f = jax.jit(lambda x, y: jnp.vdot(weight, kernel(x, y)))
  g_x, g_y = jax.jit(jax.grad(f, (0, 1)))(x, y)
  want = directional(lambda x: f(x, y), x, dx)
  np.testing.assert_allclose(np.vdot(g_x, dx), want, rtol=1e-8)
  want = directional(lambda y: f(x, y), y, dy)
  np.testing.assert_allclose(np.vdot(g_y, dy), want, rtol=1e-8)


def test_one_moving_side_takes_another_path_to_the_same(x64):
  kernel = build('crpcrf', 'ntk')
  x, y = images(3, (5, 6, 2)), images(2, (5, 6, 2), 1)
  f = lambda x, y: (kernel(x, y) ** 2).sum()
  both = jax.jit(jax.grad(f, (0, 1)))(x, y)
  for i, g in enumerate(both):
    alone = jax.jit(jax.grad(f, i))(x, y)
    np.testing.assert_allclose(alone, g, rtol=1e-11, atol=1e-13)


def test_gradient_of_a_batch_with_itself(x64):
  kernel = build('crpcrg', 'ntk')
  x, d = images(4, (7, 6, 1)), images(4, (7, 6, 1), 1)
  weight = np.random.default_rng(2).normal(size=(4, 4))
  # Off the diagonal: there the NTK has a cusp along x = x'.
  weight = weight * (1 - np.eye(4))
  f = jax.jit(lambda x: jnp.vdot(weight, kernel(x, None)))
  got = np.vdot(jax.jit(jax.grad(f))(x), d)
  np.testing.assert_allclose(got, directional(f, x, d), rtol=1e-8)


def test_gradient_of_the_diagonal(x64):
  kernel = build('crcrpf', 'ntk')
  x, d = images(2, (6, 4, 1)), images(2, (6, 4, 1), 1)
  f = jax.jit(lambda x: jnp.trace(kernel(x, None)))
  got = np.vdot(jax.jit(jax.grad(f))(x), d)
  np.testing.assert_allclose(got, directional(f, x, d), rtol=1e-8)


def test_what_is_reused_or_computed_anew_gives_the_same(x64):
  """A budget that holds blocks but not all that they leave behind."""
  layers = [conv(), relu(), avg_pool(), flatten(), dense()]
  x, y = images(70, (32, 32, 1)), images(2, (32, 32, 1), 1)
  gradients = []
  for budget in (8, 1024):
    kernel = serial(layers, budget_mib=budget)
    f = lambda y, kernel=kernel: (kernel(x, y) ** 2).sum()
    gradients.append(jax.jit(jax.grad(f))(y))
  np.testing.assert_allclose(*gradients, rtol=1e-12)


@pytest.mark.parametrize(
  ('get', 'b_std'), [('ntk', 0.0), ('ntk', 0.1), ('nngp', 0.0)]
)
def test_gradients_are_finite_where_formulas_are_not(get, b_std):
  layers = [conv(b_std=b_std), relu(), conv(b_std=b_std), relu(), avg_pool()]
  kernel = serial([*layers, flatten(), dense(b_std=b_std)], get)
  x = images(3, (6, 6, 1)).astype(np.float32)
  x[2, :, :3] = 0  # a black border
  flat = np.ones_like(x[:1])
  odd = [x, x[:1], x[:1, :, ::-1], -x[:1], 1.00001 * x[:1], 0 * flat, flat]
  x = jnp.asarray(np.concatenate(odd))
  f = lambda x, y: kernel(x, None).sum() + kernel(x, y).sum()
  value, gradients = jax.jit(jax.value_and_grad(f, (0, 1)))(x, x)
  assert np.isfinite(value)
  for g in gradients:
    assert np.isfinite(g).all() and np.abs(g).max() > 0


def test_the_diagonal_is_that_of_duplicates():
  x = images(3, (8, 8, 1)).astype(np.float32)
  kernel = build('crcrpcrpf', 'ntk')
  alone, beside = kernel(x, None), kernel(x, x)
  np.testing.assert_allclose(alone, beside, rtol=1e-6)
  want = np.diagonal(joint(x.astype(float), 'crcrpcrpf')['ntk'])
  np.testing.assert_allclose(np.diagonal(alone), want, rtol=5e-7)


def test_forward_mode_is_refused():
  kernel = build('crpf', 'ntk')
  x = jnp.asarray(images(2, (4, 4, 1)))
  with pytest.raises(TypeError, match='forward-mode'):
    jax.jvp(lambda x: kernel(x, x), (x,), (x,))


# Transformations.


def test_vmap(x64):
  kernel = build('crpf', 'ntk')
  x, y = images(6, (4, 4, 1)).reshape(2, 3, 4, 4, 1), images(2, (4, 4, 1), 1)
  f = lambda x: (kernel(x, y) ** 2).sum() + kernel(x, None).sum()
  value, g = jax.jit(jax.vmap(jax.value_and_grad(f)))(x)
  for i in range(2):
    one, one_g = jax.value_and_grad(f)(x[i])
    np.testing.assert_allclose(value[i], one, rtol=1e-12)
    np.testing.assert_allclose(g[i], one_g, rtol=1e-10, atol=1e-13)


# What bad input gets.

BODY = [conv(), relu()]


@pytest.mark.parametrize(
  ('layers', 'words'),
  [
    ([*BODY] + [avg_pool()] * 3 + [flatten(), dense()], 'avg_pool.*1x1'),
    ([*BODY, dense()], 'dense: fed 4x5 pixels'),
    ([*BODY, flatten()], 'end in dense'),
    ([*BODY, flatten(), conv(), dense()], 'conv: must come before'),
    ([*BODY, flatten(), flatten(), dense()], 'flatten: must come before'),
    ([*BODY, global_avg_pool(), relu(), dense()], 'after global_avg_pool'),
    ([conv(0.0, width=4), flatten(), dense()], 'w_std=0.0'),
  ],
)
def test_layers_that_do_not_fit(layers, words):
  with pytest.raises(UserError, match=words) as error:
    plan(layers, Shape(4, 5, 1), CPU)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  ('settings', 'words'),
  [
    ({'get': 'tnk'}, 'kernel.get'),
    ({'architecture': 'resnet'}, 'kernel.architecture'),
    ({'activation': 'gelu'}, 'kernel.activation'),
    ({'parametrization': 'mup'}, 'kernel.parametrization'),
    ({'budget_mib': 0}, 'kernel.budget_mib=0'),
  ],
)
def test_unknown_names(settings, words):
  with pytest.raises(UserError, match=words):
    conv_kernel(**settings)


@pytest.mark.parametrize(
  ('first', 'second', 'words'),
  [
    ((2, 8, 8, 1), (2, 8, 9, 1), r'\(2, 8, 8, 1\) and \(2, 8, 9, 1\)'),
    ((2, 64), (2, 64), r'\(2, 64\)'),
    ((2, 8, 8, 1), (0, 8, 8, 1), r'\(0, 8, 8, 1\)'),
    ((2, 4, 4, 1), (2, 4, 4, 1), 'does not fit 1x1'),
    ((2, 256, 256, 3), (2, 256, 256, 3), 'kernel.budget_mib=4: the smallest'),
  ],
)
def test_images_that_do_not_fit(first, second, words):
  kernel = conv_kernel(budget_mib=4)
  with pytest.raises(UserError, match=words):
    kernel(jnp.zeros(first), jnp.zeros(second))


# Architectures, adapters.

# Pairs of pixels in reach of the head, per axis at the three sizes: at 32 with
# offsets up to 7, at 16 up to 3, at 8 up to 1; all of them for Myrtle.
ENTRIES = {
  'convnet': 2 * 424**2 + 100**2 + 22**2,
  'convnet3': 424**2 + 100**2 + 22**2,
  'myrtle5': 2 * 32**4 + 16**4 + 8**4,
}


@pytest.mark.parametrize('name', ENTRIES)
def test_named_architectures_need_these_pixel_pairs(name):
  layers = named_layers(name, 1.0, 0.0)
  total = 0
  for stage in plan(layers, Shape(32, 32, 3), CPU).stages:
    valid = [
      axis.size**2
      if axis.circulant
      else sum(axis.size - abs(d) for d in axis.offsets)
      for axis in (stage.y, stage.x)
    ]
    total += stage.num_deviations * valid[0] * valid[1]
  assert total == ENTRIES[name]


def test_both_ways_through_a_kernel_fn():
  x = jnp.asarray(images(2, (8, 8, 1)), jnp.float32)
  kernel_fn = to_kernel_fn(KERNELS['dense'])
  both = kernel_fn(x, None, ('nngp', 'ntk'))
  # Different programs: compilers may round their last place differently.
  close = functools.partial(np.testing.assert_allclose, rtol=1e-6)
  close(both.ntk, kernel_fn(x, x, 'ntk'))
  kernel = from_kernel_fn(kernel_fn, 'nngp')
  close(kernel(x, None), both.nngp)
  with pytest.raises(UserError, match="'cov'"):
    kernel_fn(x, None, 'cov')


def test_a_gradient_has_a_derivative_in_all_but_the_images(x64):
  kernel = serial([conv(), relu(), flatten(), dense()])
  x, y, along = (images(n, (3, 3, 1), seed=n) for n in (2, 3, 2))

  def slope(weight, x, other=y):
    loss = lambda x: jnp.vdot(weight, kernel(x, other) ** 2)
    return jnp.vdot(jax.grad(loss)(x), along)

  weight, nudge = np.random.default_rng(0).normal(size=(2, 2, 3))
  found = jnp.vdot(jax.grad(slope)(weight, x), nudge)
  # The slope is linear in the weight.
  np.testing.assert_allclose(found, slope(nudge, x), rtol=1e-9)
  for other in (y, None):
    weight = np.ones((2, 3 if other is y else 2))
    with pytest.raises(UserError, match='second derivative of a convolutional'):
      jax.grad(slope, argnums=1)(weight, x, other)


# Sharding, and slow scientific checks.


def test_rows_stay_on_their_devices(tmp_path):
  """Four devices give what one gives, and no device holds all rows."""
  script = tmp_path / 'sharded.py'
  script.write_text(SHARDED)
  done = subprocess.run(
    [sys.executable, str(script)], capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stderr


SHARDED = """
import jax
jax.config.update('jax_num_cpu_devices', 4)
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from dd_jax.kernels.conv import avg_pool, conv, dense, flatten, relu, serial

kernel = serial([conv(), relu(), avg_pool(), flatten(), dense()])
x = jax.random.normal(jax.random.key(0), (64, 4, 4, 1))
y = jax.random.normal(jax.random.key(1), (3, 4, 4, 1))
loss = lambda y, x: jnp.mean(kernel(x, y) ** 2)
both = jax.jit(lambda y, x: (kernel(x, y), jax.grad(loss)(y, x)))
k, g = both(y, x)
mesh = jax.make_mesh((4,), ('data',), axis_types=(AxisType.Auto,))
rows = NamedSharding(mesh, PartitionSpec('data'))
everywhere = NamedSharding(mesh, PartitionSpec())
k4, g4 = both(jax.device_put(y, everywhere), jax.device_put(x, rows))
assert k4.sharding.is_equivalent_to(rows, 2), k4.sharding
assert jnp.allclose(k, k4, rtol=1e-5), abs(k - k4).max()
assert jnp.allclose(g, g4, rtol=1e-4, atol=1e-6), abs(g - g4).max()
"""


@pytest.mark.slow
# At 32 x 32 neural-tangents' own convolution crashes jaxlib 0.10.2.
@pytest.mark.parametrize('size', [16, 28])
@pytest.mark.parametrize('name', ARCHITECTURES)
def test_named_architectures_equal_neural_tangents(x64, optimised, name, size):
  nt = pytest.importorskip('dd_jax.kernels.neural_tangents')
  try:
    stax = nt.load().stax
  except UserError as error:
    pytest.skip(str(error))
  shape = (size, size, 1 if size == 28 else 3)
  x, y = jnp.asarray(images(2, shape)), jnp.asarray(images(1, shape, 1))
  theirs = _stax(stax, name)
  for get in ('nngp', 'ntk'):
    want = from_kernel_fn(theirs, get)(x, y)
    kernel = jax.jit(conv_kernel(get, architecture=name))
    np.testing.assert_allclose(kernel(x, y), want, rtol=1e-13)
    single = kernel(jnp.float32(x), jnp.float32(y))
    np.testing.assert_allclose(single, want, rtol=5e-7)


def _stax(stax: Any, name: str) -> Any:
  groups, head = ARCHITECTURES[name]
  settings = {'W_std': 2**0.5, 'b_std': 0.1}
  layers = []
  for i, count in enumerate(groups):
    for _ in range(count):
      layers += [stax.Conv(1, (3, 3), padding='SAME', **settings), stax.Relu()]
    if head == 'flatten' or i < len(groups) - 1:
      layers.append(stax.AvgPool((2, 2), strides=(2, 2)))
  layers.append(stax.Flatten() if head == 'flatten' else stax.GlobalAvgPool())
  return stax.serial(*layers, stax.Dense(1, **settings))[2]


def _wide_network(
  key: jax.Array, x: jax.Array, width: int
) -> tuple[Any, list[jax.Array]]:
  """Two groups of convolution, ReLU and pool, in NTK parametrisation."""

  def forward(params: list[jax.Array], x: jax.Array) -> jax.Array:
    for w, b in zip(params[0:4:2], params[1:4:2], strict=True):
      scale = W_STD / (9 * x.shape[-1]) ** 0.5
      x = jax.lax.conv_general_dilated(
        x, scale * w, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
      )
      x = jax.nn.relu(x + B_STD * b)
      n, h, k, c = x.shape
      x = x.reshape(n, h // 2, 2, k // 2, 2, c).mean((2, 4))
    x = x.reshape(x.shape[0], -1)
    return W_STD * x @ params[4] / x.shape[1] ** 0.5 + B_STD * params[5]

  features = width * (x.shape[1] // 4) * (x.shape[2] // 4)
  shapes = [
    (3, 3, x.shape[-1], width),
    (width,),
    (3, 3, width, width),
    (width,),
    (features,),
    (),
  ]
  keys = jax.random.split(key, len(shapes))
  params = [jax.random.normal(k, s) for k, s in zip(keys, shapes, strict=True)]
  return forward, params


@pytest.mark.slow
def test_wide_networks_have_this_ntk(optimised):
  """Empirical NTKs at width 256 scatter around the exact one."""
  x = jnp.asarray(images(3, (8, 8, 2)), jnp.float32)

  def empirical(key: jax.Array) -> jax.Array:
    forward, params = _wide_network(key, x, 256)
    jacobian = jax.jacrev(forward)(params, x)
    flat = [j.reshape(len(x), -1) for j in jacobian]
    return sum(j @ j.T for j in flat)

  draws = jax.lax.map(empirical, jax.random.split(jax.random.key(0), 48))
  want = joint(np.asarray(x, float), 'crpcrpf')['ntk']
  error = draws.std(0) / len(draws) ** 0.5
  assert float(jnp.max(jnp.abs(draws.mean(0) - want) / want)) < 0.03
  assert float(jnp.max(jnp.abs(draws.mean(0) - want) / error)) < 4
