"""The layers that every learner is built of.

On a CPU the obvious layers (`nn.Conv`, `nn.GroupNorm`, `nn.avg_pool`) spend
most of their time off the fast path, so each is written here once, with
`flax.linen`'s parameter names and shapes: checkpoints are interchangeable.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from dd_jax.checks import check_name
from dd_jax.networks.convolution import conv3x3, conv3x3_im2col
from dd_jax.types import UserError

Initializer = Callable[..., jax.Array]
Convolution = Literal['closed', 'im2col', 'lax']
Norm = Literal['instance', 'batch', 'layer', 'group', 'none']
Activation = Literal['relu', 'sigmoid', 'leaky', 'swish']
Pooling = Literal['average', 'max', 'none']

_CONVOLUTIONS = {'closed': conv3x3, 'im2col': conv3x3_im2col}
_EPSILON = 1e-5
_GROUPS = 4  # of group norm


class Conv(nn.Module):
  """A 2-D convolution with `nn.Conv`'s parameters.

  A 3x3 kernel of stride 1 and SAME padding uses `implementation`: 'closed' (see
  `networks.convolution`), 'im2col' or 'lax'. Any other size, padding in pixels
  or stride is a matrix product for 'im2col'; all else is
  `lax.conv_general_dilated`, whose gradient is slow on a CPU.

  Attributes:
    features: output channels.
    kernel_size: `(height, width)`.
    stride: the same in both directions.
    padding: 'SAME', 'VALID', or pixels on every side.
    kernel_init: for `kernel [height, width, c, features]`.
    bias_init: for `bias [features]`.
    implementation: of the 3x3 case.
    use_bias: whether there is one.
  """

  features: int
  kernel_size: tuple[int, int] = (3, 3)
  stride: int = 1
  padding: str | int = 'SAME'
  kernel_init: Initializer = nn.initializers.lecun_normal()
  bias_init: Initializer = nn.initializers.zeros
  implementation: Convolution = 'closed'
  use_bias: bool = True

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps `[n, h, w, c]` to `[n, h', w', features]`."""
    check_name('convolution', self.implementation, get_args(Convolution))
    shape = (*self.kernel_size, x.shape[-1], self.features)
    kernel = self.param('kernel', self.kernel_init, shape).astype(x.dtype)
    y = self._convolved(x, kernel)
    if not self.use_bias:
      return y
    bias = self.param('bias', self.bias_init, (self.features,))
    return y + bias.astype(x.dtype)

  def _convolved(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
    if self._is_covered():
      # SAME with extra padding p is padding p - 1 followed by SAME.
      extra = self.padding - 1 if isinstance(self.padding, int) else 0
      if extra:
        x = jnp.pad(x, ((0, 0), (extra, extra), (extra, extra), (0, 0)))
      return _CONVOLUTIONS[self.implementation](x, kernel)
    known = self.stride == 1 or self.padding != 'SAME'
    if self.implementation == 'im2col' and known:
      return _matrix_product(x, kernel, self.stride, self.padding)
    return _general(x, kernel, self.stride, self.padding)

  def _is_covered(self) -> bool:
    same = self.padding == 'SAME' or (
      isinstance(self.padding, int) and self.padding >= 1
    )
    square = self.kernel_size == (3, 3) and self.stride == 1
    return square and same and self.implementation != 'lax'


def _general(
  x: jax.Array, kernel: jax.Array, stride: int, padding: str | int
) -> jax.Array:
  pad: Any = [(padding, padding)] * 2 if isinstance(padding, int) else padding
  return lax.conv_general_dilated(
    x,
    kernel,
    (stride, stride),
    pad,
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def _matrix_product(
  x: jax.Array, kernel: jax.Array, stride: int, padding: str | int
) -> jax.Array:
  """A convolution as one product of shifted windows; SAME for stride 1."""
  height, width, _, features = kernel.shape
  pad = {'SAME': ((height - 1) // 2, (width - 1) // 2), 'VALID': (0, 0)}
  rows, columns = (padding,) * 2 if isinstance(padding, int) else pad[padding]
  x = jnp.pad(x, ((0, 0), (rows, rows), (columns, columns), (0, 0)))
  out = x.shape[1] - height + 1, x.shape[2] - width + 1
  windows = jnp.concatenate(
    [
      x[:, i : i + out[0] : stride, j : j + out[1] : stride]
      for i in range(height)
      for j in range(width)
    ],
    -1,
  )
  return windows @ kernel.reshape(-1, features)


class InstanceNorm(nn.Module):
  """Normalises each channel of each image over its pixels, then scales.

  GroupNorm with one channel per group. The variance is `E x^2 - (E x)^2`
  clamped at zero: one pass over the data, some four times faster on a CPU; it
  loses digits where an image's mean is many times its deviation.
  """

  epsilon: float = _EPSILON

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps `[n, h, w, c]` to the same shape."""
    channels = x.shape[-1]
    scale = self.param('scale', nn.initializers.ones, (channels,))
    bias = self.param('bias', nn.initializers.zeros, (channels,))
    mean = jnp.mean(x, (1, 2), keepdims=True)
    square = jnp.mean(x * x, (1, 2), keepdims=True)
    variance = jnp.maximum(square - mean * mean, 0)
    inverse = lax.rsqrt(variance + self.epsilon) * scale.astype(x.dtype)
    return x * inverse + (bias.astype(x.dtype) - mean * inverse)


def norm_layer(
  norm: str, *, train: bool, momentum: float = 0.9
) -> Callable[[jax.Array], jax.Array]:
  """Makes the named normalisation; call inside a compact method.

  'instance': each channel of an image alone; 'batch': each channel of a batch;
  'layer': an image as a whole, with a scale for every pixel of every channel;
  'group': four groups of channels; 'none'. All have an epsilon of 1e-5.

  Raises:
    UserError: for any other name, or channels that make no four groups.
  """
  check_name('norm', norm, get_args(Norm))
  if norm == 'none':
    return lambda x: x
  if norm == 'instance':
    return InstanceNorm()
  if norm == 'batch':
    return nn.BatchNorm(use_running_average=not train, momentum=momentum)
  if norm == 'group':
    return _group_norm
  whole = (1, 2, 3)
  return nn.LayerNorm(
    epsilon=_EPSILON, reduction_axes=whole, feature_axes=whole
  )


def _group_norm(x: jax.Array) -> jax.Array:
  if x.shape[-1] % _GROUPS:
    raise UserError(
      f"norm='group': of {x.shape[-1]} channels; allowed are multiples of "
      f'{_GROUPS}'
    )
  return nn.GroupNorm(num_groups=_GROUPS, epsilon=_EPSILON)(x)


def soft_relu(x: jax.Array, sharpness: float = 0.0) -> jax.Array:
  """ReLU, or `softplus(sharpness x) / sharpness` where that is above 0.

  Raises:
    UserError: a negative sharpness.
  """
  if sharpness < 0:
    raise UserError(f'network.sharpness={sharpness}: allowed are 0 and more')
  return nn.softplus(sharpness * x) / sharpness if sharpness else nn.relu(x)


def activate(
  x: jax.Array, activation: str, sharpness: float = 0.0
) -> jax.Array:
  """The named activation; 'leaky' has a slope of 0.01, PyTorch's.

  Args:
    x: any shape.
    activation: 'relu', 'sigmoid', 'leaky' or 'swish'.
    sharpness: of ReLU, see `soft_relu`.

  Raises:
    UserError: another name.
  """
  check_name('network.activation', activation, get_args(Activation))
  if activation == 'relu':
    return soft_relu(x, sharpness)
  others = {
    'sigmoid': nn.sigmoid,
    'leaky': nn.leaky_relu,
    'swish': nn.swish,
  }
  return others[activation](x)


def pool(x: jax.Array, pooling: str) -> jax.Array:
  """2x2 pooling of stride 2 by name: 'average', 'max', or 'none' at all.

  Raises:
    UserError: another name.
  """
  check_name('network.pooling', pooling, get_args(Pooling))
  if pooling == 'none':
    return x
  return max_pool(x) if pooling == 'max' else average_pool(x)


def average_pool(x: jax.Array) -> jax.Array:
  """2x2 average pooling of stride 2, `[n, h, w, c]` to `[n, h//2, w//2, c]`.

  Written as the sum of four slices: the fastest of the forms tried on a CPU,
  forward and backward.
  """
  n, h, w, c = x.shape
  x = x[:, : h // 2 * 2, : w // 2 * 2]
  x = x.reshape(n, h // 2, 2, w // 2, 2, c)
  return 0.25 * (
    x[:, :, 0, :, 0] + x[:, :, 0, :, 1] + x[:, :, 1, :, 0] + x[:, :, 1, :, 1]
  )


def max_pool(x: jax.Array) -> jax.Array:
  """2x2 max pooling of stride 2, `[n, h, w, c]` to `[n, h//2, w//2, c]`."""
  n, h, w, c = x.shape
  x = x[:, : h // 2 * 2, : w // 2 * 2]
  x = x.reshape(n, h // 2, 2, w // 2, 2, c)
  rows = jnp.maximum(x[:, :, 0], x[:, :, 1])
  return jnp.maximum(rows[:, :, :, 0], rows[:, :, :, 1])


def wide_max_pool(x: jax.Array) -> jax.Array:
  """3x3 max pooling of stride 2 and padding 1: sides halved, rounded up."""
  for axis in (1, 2):
    side = x.shape[axis]
    edge = [(1, 1) if a == axis else (0, 0) for a in range(x.ndim)]
    padded = jnp.pad(x, edge, constant_values=-jnp.inf)
    x = functools.reduce(
      jnp.maximum,
      [lax.slice_in_dim(padded, i, i + side, 2, axis) for i in range(3)],
    )
  return x


def uniform_fan_in(fan_in: int) -> Initializer:
  """Uniform in +-1/sqrt(fan_in), PyTorch's default for weights and biases."""

  def init(
    key: jax.Array,
    shape: Sequence[int],
    dtype: Any = jnp.float32,
  ) -> jax.Array:
    bound = fan_in**-0.5
    return jax.random.uniform(key, shape, dtype, -bound, bound)

  return init


def initializers(name: str, fan_in: int) -> tuple[Initializer, Initializer]:
  """Returns the (weight, bias) initialisers of a named scheme.

  'torch': both uniform in +-1/sqrt(fan_in), what DC and its descendants use.
  'lecun': normal of variance 1/fan_in and zero, Flax's default (FRePo).
  'nngp': normal of variance 2/fan_in and 0.01 (RFAD, KIP).

  Raises:
    UserError: for any other name.
  """
  if name == 'torch':
    return uniform_fan_in(fan_in), uniform_fan_in(fan_in)
  if name == 'lecun':
    return nn.initializers.lecun_normal(), nn.initializers.zeros
  if name == 'nngp':
    weight = nn.initializers.normal((2 / fan_in) ** 0.5)
    return weight, nn.initializers.normal(0.1)
  raise UserError(f"initializer={name!r}: allowed are 'torch', 'lecun', 'nngp'")


class Dense(nn.Module):
  """A dense layer with a named initialisation; `nn.Dense`'s parameters."""

  features: int
  initializer: str = 'torch'

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps `[n, d]` to `[n, features]`."""
    weight, bias = initializers(self.initializer, x.shape[-1])
    kernel = self.param('kernel', weight, (x.shape[-1], self.features))
    offset = self.param('bias', bias, (self.features,))
    return x @ kernel.astype(x.dtype) + offset.astype(x.dtype)
