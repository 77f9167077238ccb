"""The closed convolution against `lax`'s, in every mode that it may meet."""

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax
from jax.test_util import check_grads

from dd_jax.networks import convolution
from dd_jax.networks.convolution import conv3x3, conv3x3_im2col

pytestmark = pytest.mark.usefixtures('as_if_large')
SMALL = convolution._SMALL


@pytest.fixture
def as_if_large(monkeypatch):
  """Tiny arrays take the path of large ones on a CPU."""
  monkeypatch.setattr(convolution, '_SMALL', 0)


Convolution = Callable[[jax.Array, jax.Array], jax.Array]

OURS = {'closed': conv3x3, 'im2col': conv3x3_im2col}
# Few channels take one wide matrix product, many take nine narrow ones.
CHANNELS = [(3, 4), (17, 2)]


def reference(x: jax.Array, w: jax.Array) -> jax.Array:
  return lax.conv_general_dilated(
    x, w, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )


def arrays(*shapes: tuple[int, ...], seed: int = 0) -> list[jax.Array]:
  """Normal float64 arrays."""
  draw = np.random.default_rng(seed)
  return [jnp.asarray(draw.normal(size=shape)) for shape in shapes]


def pair(channels: tuple[int, int] = (3, 4)) -> list[jax.Array]:
  c, d = channels
  x, w = arrays((2, 5, 4, c), (3, 3, c, d))
  return [x, w / c**0.5]


def assert_equal(got: Any, want: Any) -> None:
  """Equal to 1e-12 of the largest entry, leaf by leaf; and not all zero."""
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    assert a.dtype == b.dtype == jnp.float64
    assert jnp.any(b != 0)
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * abs(b).max())


def curved(conv: Convolution) -> Callable[[jax.Array, jax.Array], jax.Array]:
  """A scalar of the convolution with curvature in both arguments."""
  return lambda x, w: jnp.sum(jnp.sin(conv(x, w)))


def both_gradients(conv: Convolution) -> Callable:
  return jax.grad(curved(conv), (0, 1))


def tangents(x: jax.Array, w: jax.Array) -> tuple[jax.Array, jax.Array]:
  return jnp.sin(3 * x), jnp.cos(w)


def reverse_over_reverse(conv: Convolution) -> Callable:
  def inner(x: jax.Array, w: jax.Array) -> jax.Array:
    gradients = both_gradients(conv)(x, w)
    return sum(jnp.vdot(jnp.cos(g), g) for g in gradients)

  return jax.grad(inner, (0, 1))


def forward_over_reverse(conv: Convolution) -> Callable:
  return lambda x, w: jax.jvp(both_gradients(conv), (x, w), tangents(x, w))[1]


def reverse_over_forward(conv: Convolution) -> Callable:
  def inner(x: jax.Array, w: jax.Array) -> jax.Array:
    return jax.jvp(curved(conv), (x, w), tangents(x, w))[1]

  return jax.grad(inner, (0, 1))


def jvp(conv: Convolution) -> Callable:
  return lambda x, w: jax.jvp(conv, (x, w), tangents(x, w))


def third_order(conv: Convolution) -> Callable:
  def inner(x: jax.Array, w: jax.Array) -> jax.Array:
    return sum(jnp.sum(jnp.sin(g)) for g in reverse_over_reverse(conv)(x, w))

  return jax.grad(inner, (0, 1))


def through_training(conv: Convolution) -> Callable:
  """Gradient in the images and the first weights of checkpointed SGD steps."""

  def loss(w: jax.Array, x: jax.Array) -> jax.Array:
    return jnp.mean(jnp.tanh(conv(x, w)) ** 2)

  @jax.checkpoint
  def step(w: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    value, gradient = jax.value_and_grad(loss)(w, x)
    return w - 0.5 * gradient, value

  def trained(x: jax.Array, w: jax.Array) -> jax.Array:
    xs = jnp.stack([x, jnp.cos(x), x**2])
    w, values = lax.scan(step, w, xs)
    return loss(w, 2 * x) + values.sum()

  return jax.grad(trained, (0, 1))


def several_orders(conv: Convolution) -> Callable:
  """Value and derivatives in one program."""
  functions = (conv, both_gradients(conv), reverse_over_reverse(conv))
  return lambda x, w: tuple(f(x, w) for f in functions)


MODES = {
  f.__name__: f
  for f in (
    both_gradients,
    jvp,
    reverse_over_reverse,
    forward_over_reverse,
    reverse_over_forward,
    third_order,
    through_training,
  )
}


@pytest.mark.parametrize('shape', [(2, 5, 4, 3), (1, 1, 1, 2), (1, 2, 1, 16)])
@pytest.mark.parametrize('conv', OURS.values(), ids=OURS)
def test_value_is_the_sum_over_the_window(x64, conv, shape):
  x, w = arrays(shape, (3, 3, shape[-1], 4))
  n, height, width, _ = shape
  padded = np.pad(np.asarray(x), ((0, 0), (1, 1), (1, 1), (0, 0)))
  want = np.zeros((n, height, width, 4))
  for i in range(height):
    for j in range(width):
      window = padded[:, i : i + 3, j : j + 3]
      want[:, i, j] = np.einsum('nijc,ijcd->nd', window, w)
  np.testing.assert_allclose(conv(x, w), want, atol=1e-12)


@pytest.mark.parametrize('channels', CHANNELS)
@pytest.mark.parametrize('mode', MODES.values(), ids=MODES)
def test_derivatives_equal_lax(x64, mode, channels):
  args = pair(channels)
  assert_equal(jax.jit(mode(conv3x3))(*args), jax.jit(mode(reference))(*args))


@pytest.mark.parametrize('mode', [several_orders, jvp])
def test_derivatives_of_im2col_equal_lax(x64, mode):
  got = jax.jit(mode(conv3x3_im2col))(*pair())
  assert_equal(got, jax.jit(mode(reference))(*pair()))


def test_derivatives_equal_finite_differences(x64):
  check_grads(jax.jit(conv3x3), pair(), order=2, modes=['fwd', 'rev'])


BATCHES = {
  'weights': ((None, 0), (2, 4, 3, 3), (3, 3, 3, 3, 2)),
  'images': ((0, None), (3, 2, 4, 3, 3), (3, 3, 3, 2)),
  'both': ((0, 0), (3, 2, 4, 3, 3), (3, 3, 3, 3, 2)),
  'inner axes': ((2, 4), (2, 4, 5, 3, 3), (3, 3, 3, 2, 5)),
  'last axis': ((-1, 0), (2, 4, 3, 3, 5), (5, 3, 3, 3, 2)),
}


@pytest.mark.parametrize('batch', BATCHES.values(), ids=BATCHES)
def test_vmap_equals_lax(x64, batch):
  axes, *shapes = batch
  args = arrays(*shapes)
  mapped = lambda conv: jax.jit(jax.vmap(several_orders(conv), axes))
  assert_equal(mapped(conv3x3)(*args), mapped(reference)(*args))


def test_gradient_of_a_vmapped_convolution_equals_lax(x64):
  axes, *shapes = BATCHES['weights']
  args = arrays(*shapes)
  batched = lambda conv: both_gradients(jax.vmap(conv, axes))
  assert_equal(
    jax.jit(batched(conv3x3))(*args), jax.jit(batched(reference))(*args)
  )


NESTED = {
  'a grid': (((0, None), (None, 0)), (2, 1, 4, 3, 3), (3, 3, 3, 3, 2)),
  'shared images': (((None, 0), (None, 0)), (1, 4, 3, 3), (2, 3, 3, 3, 3, 2)),
  'all': (((0, 1), (0, 0)), (2, 3, 1, 4, 3, 3), (3, 2, 3, 3, 3, 2)),
}


@pytest.mark.parametrize('nested', NESTED.values(), ids=NESTED)
def test_nested_vmap_equals_lax(x64, nested):
  axes, *shapes = nested
  args = arrays(*shapes)

  def mapped(conv: Convolution) -> Callable:
    function = lambda x, w: (conv(x, w), both_gradients(conv)(x, w))
    for each in reversed(axes):
      function = jax.vmap(function, each)
    return jax.jit(function)

  assert_equal(mapped(conv3x3)(*args), mapped(reference)(*args))


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
@pytest.mark.parametrize('conv', OURS.values(), ids=OURS)
def test_narrow_dtypes_stay(conv, dtype):
  x, w = (a.astype(dtype) for a in pair())
  value, gradients = jax.value_and_grad(curved(conv), (0, 1))(x, w)
  assert {a.dtype for a in (value, *gradients)} == {jnp.dtype(dtype)}


# What is lowered, by platform.


def stablehlo(function: Callable, platform: str, *args: jax.Array) -> str:
  specs = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in args]
  exported = export.export(jax.jit(function), platforms=[platform])(*specs)
  return exported.mlir_module()


def convolutions(module: str) -> list[tuple[tuple[int, int], int]]:
  """`(window, groups)` of every convolution of a StableHLO module."""
  found = []
  for line in module.splitlines():
    if 'stablehlo.convolution' not in line:
      continue
    labels = re.search(r'x\[([^]]*)\]->', line)
    kernel = re.search(r': \(tensor<[^>]*>, tensor<([^>]*)>\)', line)
    groups = re.findall(r'(?:feature|batch)_group_count = (\d+)', line)
    assert labels and kernel and groups, line
    sizes = dict(
      zip(labels[1].split(', '), kernel[1].split('x')[:-1], strict=True)
    )
    window = int(sizes['0']), int(sizes['1'])
    found.append((window, max(int(g) for g in groups)))
  return found


def test_a_training_loop_on_cpu_has_only_3x3_windows():
  """The image-sized window of a native kernel gradient is slow in a loop."""
  for channels in CHANNELS:
    args = pair(channels)
    module = stablehlo(through_training(conv3x3), 'cpu', *args)
    assert 'stablehlo.while' in module
    assert {window for window, _ in convolutions(module)} == {(3, 3)}


def test_a_tiny_convolution_on_cpu_is_a_matrix_product(monkeypatch):
  """Calling Eigen's convolution costs more than the arithmetic there."""
  monkeypatch.setattr(convolution, '_SMALL', SMALL)
  assert not convolutions(stablehlo(conv3x3, 'cpu', *pair()))
  x, w = jnp.zeros((8, 32, 32, 16)), jnp.zeros((3, 3, 16, 32))
  assert convolutions(stablehlo(conv3x3, 'cpu', x, w)) == [((3, 3), 1)]
  assert convolutions(stablehlo(conv3x3, 'cuda', *pair()))


@pytest.mark.parametrize('platform', ['cuda', 'rocm', 'tpu'])
def test_an_accelerator_gets_its_native_kernel_gradient(platform):
  for mode in (both_gradients, through_training):
    module = stablehlo(mode(conv3x3), platform, *pair())
    assert (5, 4) in {window for window, _ in convolutions(module)}
    assert 'stablehlo.dot_general' not in module


def test_the_reader_of_windows_sees_what_lax_does_on_a_cpu():
  module = stablehlo(through_training(reference), 'cpu', *pair())
  assert {(3, 3), (5, 4)} == {window for window, _ in convolutions(module)}


def test_one_program_lowers_for_all_platforms_at_once():
  x, w = pair()
  exported = export.export(
    jax.jit(both_gradients(conv3x3)), platforms=['cpu', 'cuda', 'tpu']
  )(x, w)
  for got, want in zip(
    exported.call(x, w), both_gradients(reference)(x, w), strict=True
  ):
    np.testing.assert_allclose(got, want, atol=1e-4)


@pytest.mark.parametrize('members', [2, 5])
def test_a_batch_of_members_is_grouped_on_accelerators_a_loop_on_cpu(members):
  args = arrays((members, 2, 5, 4, 3), (members, 3, 3, 3, 4))
  mapped = jax.vmap(conv3x3)
  for platform in ('cuda', 'tpu'):
    groups = [g for _, g in convolutions(stablehlo(mapped, platform, *args))]
    assert groups == [members]
  groups = [g for _, g in convolutions(stablehlo(mapped, 'cpu', *args))]
  assert groups == [1] * members


@pytest.mark.parametrize('platform', ['cpu', 'cuda', 'tpu'])
@pytest.mark.parametrize('axis', [0, 1])
def test_a_batch_of_images_under_one_kernel_is_one_convolution(platform, axis):
  x, w = arrays((5, 3, 4, 4, 3), (3, 3, 3, 4))
  mapped = jax.vmap(conv3x3, (axis, None))
  assert convolutions(stablehlo(mapped, platform, x, w)) == [((3, 3), 1)]


@pytest.mark.parametrize('channels', CHANNELS)
def test_per_class_gradients_equal_a_loop_over_classes(x64, channels):
  """Also the gradient through them: what gradient matching does."""
  c, d = channels
  x, w = arrays((4, 2, 5, 4, c), (3, 3, c, d))

  def each(x: jax.Array) -> jax.Array:
    return jax.grad(curved(conv3x3), 1)(x, w)

  def distance(kernels: jax.Array) -> jax.Array:
    return jnp.sum(jnp.sin(kernels) ** 2)

  loop = lambda x: distance(jnp.stack([each(x[i]) for i in range(len(x))]))
  mapped = lambda x: distance(jax.vmap(each)(x))
  assert_equal(
    jax.jit(jax.value_and_grad(mapped))(x), jax.jit(jax.value_and_grad(loop))(x)
  )


def test_a_long_batch_is_a_loop_on_a_cpu():
  """A written-out one would make a program as long as there are classes."""
  for members, loops in ((3, 0), (20, 1)):
    args = arrays((members, 2, 4, 4, 3), (members, 3, 3, 3, 4))
    module = stablehlo(jax.vmap(conv3x3), 'cpu', *args)
    assert module.count('stablehlo.while') == loops
    got = jax.jit(jax.vmap(conv3x3))(*args)
    want = jax.jit(jax.vmap(reference))(*args)
    np.testing.assert_allclose(got, want, atol=1e-4)


def test_batched_gradients_are_not_loops_on_accelerators():
  mapped = jax.vmap(both_gradients(conv3x3))
  for platform in ('cuda', 'tpu'):
    counts = set()
    for members in (2, 5):
      args = arrays((members, 2, 5, 4, 3), (members, 3, 3, 3, 4))
      counts.add(len(convolutions(stablehlo(mapped, platform, *args))))
    assert counts == {3}


SHARDED = """
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from dd_jax.networks.convolution import conv3x3
jax.config.update('jax_enable_x64', True)
mesh = jax.make_mesh((2,), ('data',), axis_types=(AxisType.Auto,))
draw = np.random.default_rng(0)
split = NamedSharding(mesh, PartitionSpec('data'))
whole = NamedSharding(mesh, PartitionSpec())
def second_order(x, w):
  first = lambda x, w: jnp.sum(jnp.sin(conv3x3(x, w)))
  inner = lambda x, w: jnp.sum(jnp.sin(jax.grad(first, 1)(x, w)))
  return jax.value_and_grad(inner, (0, 1))(x, w)
def check(function, x, w, w_sharding):
  x, w = jnp.asarray(x), jnp.asarray(w)
  want = jax.jit(function)(x, w)
  got = jax.jit(function)(
    jax.device_put(x, split), jax.device_put(w, w_sharding))
  assert len(jax.tree.leaves(got)[1].sharding.device_set) == 2
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want)):
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-11 * np.abs(b).max())
assert jax.device_count() == 2
x, w = draw.normal(size=(4, 5, 4, 3)), draw.normal(size=(3, 3, 3, 4))
check(second_order, x, w, whole)
x, w = draw.normal(size=(2, 4, 5, 4, 3)), draw.normal(size=(2, 3, 3, 3, 4))
check(jax.vmap(second_order), x, w, split)
print('equal')
"""


def test_two_devices_equal_one(on_two_devices):
  assert on_two_devices('-c', SHARDED).strip() == 'equal'
