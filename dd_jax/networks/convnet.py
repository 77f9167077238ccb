"""The ConvNet of the field, and FRePo's variant whose width grows.

Blocks of 3x3 convolution, normalisation, ReLU and 2x2 average pooling, then one
dense layer (Zhao et al., arXiv 2006.05929; Zhou et al., arXiv 2206.00719).
Norm, activation and pooling have the field's other choices.
"""

import math
from typing import get_args

import flax.linen as nn
import jax

from dd_jax.checks import check_name
from dd_jax.networks.layers import (
  Activation,
  Conv,
  Dense,
  Norm,
  Pooling,
  activate,
  initializers,
  norm_layer,
  pool,
)
from dd_jax.networks.network import Network, Outputs, from_flax
from dd_jax.types import UserError

_SMALLEST_MAP = 2


class ConvNet(nn.Module):
  """See the module docstring.

  Attributes:
    widths: channels of each block.
    num_classes: logits.
    norm: see `layers.norm_layer`.
    norm_first: normalise before the convolution of every block but the first
      (FRePo) rather than after each convolution (DC).
    first_padding: pixels of padding of the first convolution.
    initializer: 'torch', 'lecun' or 'nngp', see `layers.initializers`.
    batch_momentum: of batch norm's running statistics.
    convolution: implementation, see `layers.Conv`.
    sharpness: of a softplus in place of ReLU, see `layers.soft_relu`.
    activation: see `layers.activate`.
    pooling: see `layers.pool`.
  """

  widths: tuple[int, ...]
  num_classes: int
  norm: str = 'instance'
  norm_first: bool = False
  first_padding: int = 1
  initializer: str = 'torch'
  batch_momentum: float = 0.9
  convolution: str = 'closed'
  sharpness: float = 0.0
  activation: str = 'relu'
  pooling: str = 'average'

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> Outputs:
    """Maps `[n, h, w, c]` to `Outputs`."""
    taps = []
    for i in range(len(self.widths)):
      x = self._block(i, x, train)
      taps.append(x)
      x = pool(x, self.pooling)
    features = x.reshape(x.shape[0], -1)
    logits = Dense(self.num_classes, self.initializer, name='head')(features)
    return Outputs(logits, features, (*taps, x))

  def _block(self, i: int, x: jax.Array, train: bool) -> jax.Array:
    norm = norm_layer(self.norm, train=train, momentum=self.batch_momentum)
    weight, bias = initializers(self.initializer, 9 * x.shape[-1])
    convolution = Conv(
      self.widths[i],
      padding=self.first_padding if i == 0 else 1,
      kernel_init=weight,
      bias_init=bias,
      implementation=self.convolution,  # type: ignore[arg-type]
    )
    if self.norm_first:
      x = convolution(norm(x) if i else x)
    else:
      x = norm(convolution(x))
    return activate(x, self.activation, self.sharpness)


def default_depth(image_shape: tuple[int, int, int]) -> int:
  """Blocks that leave a map of about 4x4: 3 at 28 to 32, 4 at 64, 5 at 128."""
  side = min(image_shape[:2]) + 2 * (default_padding(image_shape) - 1)
  return max(1, int(math.log2(side)) - 2)


def default_padding(image_shape: tuple[int, int, int]) -> int:
  """First-layer padding: 3 for 28x28 images, which makes them 32x32."""
  return 3 if image_shape[:2] == (28, 28) else 1


def convnet(
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  width: int = 128,
  depth: int | None = None,
  norm: str = 'instance',
  activation: str = 'relu',
  pooling: str = 'average',
  initializer: str = 'torch',
  convolution: str = 'closed',
) -> Network:
  """The ConvNet of DC, DM, MTT and most of the field.

  Args:
    image_shape: `(h, w, c)`.
    num_classes: logits.
    width: channels of every block.
    depth: blocks; by default `default_depth`.
    norm: 'instance', 'batch', 'layer' (an image as a whole), 'group' (four
      groups of channels) or 'none'.
    activation: 'relu', 'sigmoid', 'leaky' (slope 0.01) or 'swish'.
    pooling: of each block: 'average', 'max' or 'none'.
    initializer: 'torch' or 'lecun'.
    convolution: 'closed', 'im2col' or 'lax', see `layers.Conv`.

  Raises:
    UserError: an unknown name, or the last map would be smaller than 2x2.
  """
  check_name('network.norm', norm, get_args(Norm))
  check_name('network.activation', activation, get_args(Activation))
  check_name('network.pooling', pooling, get_args(Pooling))
  depth = checked_depth(image_shape, depth)
  module = ConvNet(
    widths=(width,) * depth,
    num_classes=num_classes,
    norm=norm,
    first_padding=default_padding(image_shape),
    initializer=initializer,
    convolution=convolution,
    activation=activation,
    pooling=pooling,
  )
  return from_flax(module, image_shape)


def frepo_convnet(
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  width: int = 128,
  depth: int | None = None,
  norm: str = 'batch',
  convolution: str = 'closed',
  sharpness: float = 0.0,
) -> Network:
  """FRePo's ConvNet: width doubles with each block, norm before convolution.

  Batch statistics move by 0.9 of the way each step, as published. RCIG distils
  with `sharpness` 60.

  Raises:
    UserError: if the last map would be smaller than 2x2.
  """
  depth = checked_depth(image_shape, depth)
  module = ConvNet(
    widths=tuple(width * 2**i for i in range(depth)),
    num_classes=num_classes,
    norm=norm,
    norm_first=True,
    first_padding=default_padding(image_shape),
    initializer='lecun',
    batch_momentum=0.1,
    convolution=convolution,
    sharpness=sharpness,
  )
  return from_flax(module, image_shape)


def nngp_convnet(
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  width: int = 256,
  depth: int = 3,
  convolution: str = 'closed',
) -> Network:
  """RFAD's ConvNet, plain: KIP's exact kernels are its infinite width.

  No normalisation, SAME padding for every size of image, weights of variance
  2/fan_in and biases of 0.01.

  Raises:
    UserError: if the last map would be empty.
  """
  deepest = int(math.log2(min(image_shape[:2])))
  if not 1 <= depth <= deepest:
    raise UserError(
      f'network.depth={depth}: allowed for images of {image_shape[0]} x '
      f'{image_shape[1]} is 1 to {deepest}'
    )
  module = ConvNet(
    widths=(width,) * depth,
    num_classes=num_classes,
    norm='none',
    initializer='nngp',
    convolution=convolution,
  )
  return from_flax(module, image_shape)


def checked_depth(image_shape: tuple[int, int, int], depth: int | None) -> int:
  """Returns `depth` or its default, if the last map is at least 2x2."""
  side = min(image_shape[:2]) + 2 * (default_padding(image_shape) - 1)
  deepest = int(math.log2(max(side, 1) / _SMALLEST_MAP))
  if deepest < 1:
    least = 2 * _SMALLEST_MAP
    raise UserError(
      f'images of {image_shape[0]} x {image_shape[1]} are too small for a '
      f'ConvNet: allowed are {least} x {least} and more'
    )
  if depth is None:
    depth = min(default_depth(image_shape), deepest)
  if not 1 <= depth <= deepest:
    raise UserError(
      f'network.depth={depth}: allowed for images of {image_shape[0]} x '
      f'{image_shape[1]} is 1 to {deepest}, so that the last map is at least '
      f'{_SMALLEST_MAP} x {_SMALLEST_MAP}'
    )
  return depth
