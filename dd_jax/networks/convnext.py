"""ConvNeXt: depthwise 7x7 convolutions, each with a perceptron of its pixels.

Layer norm over channels, GELU, a learned scale of every branch, and whole
branches left out in training (Liu et al., arXiv 2201.03545).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from dd_jax.networks.blocks import check_size
from dd_jax.networks.layers import Conv, Initializer
from dd_jax.networks.network import Network, Outputs, from_flax
from dd_jax.types import UserError

_EPSILON = 1e-6
_SMALLEST = 32
_SCALE = 1e-6  # that branches start with
_DEPTHS = (3, 3, 9, 3)
_WEIGHT: Initializer = nn.initializers.truncated_normal(0.02)


class Branch(nn.Module):
  """A depthwise convolution and a perceptron, beside their input.

  Attributes:
    left_out: share of the images without it in training.
  """

  left_out: float

  @nn.compact
  def __call__(self, x: jax.Array, train: bool) -> jax.Array:
    """Maps `[n, h, w, c]` to the same shape."""
    channels = x.shape[-1]
    y = nn.Conv(
      channels,
      (7, 7),
      padding=3,
      feature_group_count=channels,
      kernel_init=_WEIGHT,
    )(x)
    y = nn.Dense(4 * channels, kernel_init=_WEIGHT)(_norm(y))
    y = nn.Dense(channels, kernel_init=_WEIGHT)(nn.gelu(y, approximate=False))
    scale = self.param('scale', nn.initializers.constant(_SCALE), (channels,))
    drop = nn.Dropout(
      self.left_out, broadcast_dims=(1, 2, 3), deterministic=not train
    )
    return x + drop(scale.astype(x.dtype) * y)


class ConvNeXt(nn.Module):
  """See the module docstring.

  Attributes:
    depths: branches of each stage.
    num_classes: logits.
    width: channels of the first stage; each of the others has twice as many.
    left_out: of the last branch; less in those before, none in the first.
  """

  depths: tuple[int, ...]
  num_classes: int
  width: int = 96
  left_out: float = 0.1

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> Outputs:
    """Maps `[n, h, w, c]` to `Outputs`."""
    taps: list[jax.Array] = []
    for stage, depth in enumerate(self.depths):
      channels = self.width * 2**stage
      x = _smaller(_norm(x), channels, 2) if stage else self._stem(x)
      for _ in range(depth):
        share = len(taps) / max(sum(self.depths) - 1, 1)
        x = Branch(self.left_out * share)(x, train)
        taps.append(x)
    features = _norm(jnp.mean(x, (1, 2)))
    head = nn.Dense(self.num_classes, kernel_init=_WEIGHT, name='head')
    return Outputs(head(features), features, tuple(taps))

  def _stem(self, x: jax.Array) -> jax.Array:
    return _norm(_smaller(x, self.width, 4))


def _norm(x: jax.Array) -> jax.Array:
  return nn.LayerNorm(epsilon=_EPSILON)(x)


def _smaller(x: jax.Array, channels: int, times: int) -> jax.Array:
  """A convolution of patches that do not overlap."""
  return Conv(
    channels,
    kernel_size=(times, times),
    stride=times,
    padding=0,
    kernel_init=_WEIGHT,
    implementation='im2col',
  )(x)


def convnext_tiny(
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  width: int = 96,
  left_out: float = 0.1,
) -> Network:
  """ConvNeXt-T, for images of 32x32 and more.

  Args:
    image_shape: `(h, w, c)`.
    num_classes: logits.
    width: channels of the first of four stages; each has twice as many as the
      one before.
    left_out: share of images that go past the last branch in training
      (stochastic depth); less in those before, none in the first.

  Raises:
    UserError: a share out of range, or the images are smaller.
  """
  if not 0 <= left_out < 1:
    raise UserError(f'network.left_out={left_out}: allowed are 0 to below 1')
  check_size(image_shape, _SMALLEST, 'ConvNeXt')
  module = ConvNeXt(_DEPTHS, num_classes, width, left_out)
  return from_flax(module, image_shape, dropout=left_out > 0)
