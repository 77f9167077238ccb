"""ResNets as the field has them for small images.

A stem, four stages of residual blocks and one dense layer (He et al., arXiv
1512.03385; Zhao et al., arXiv 2006.05929). Each stage but the first halves the
map and doubles the channels.
"""

import functools
from typing import Any, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp

from dd_jax.checks import check_name
from dd_jax.networks.blocks import ConvNorm, check_size
from dd_jax.networks.layers import Dense, Norm, average_pool, wide_max_pool
from dd_jax.networks.network import Network, Outputs, from_flax

_STEMS = ('3x3', '7x7')
_EXPANSION = 4  # of a bottleneck
_HALVED = {'3x3': 8, '7x7': 32}  # pixels of the image in one of the last map


class Basic(nn.Module):
  """Two 3x3 convolutions beside a shortcut.

  Attributes:
    features: output channels.
    stride: of the first convolution and of the shortcut.
    norm: see `layers.norm_layer`.
    convolution: see `blocks.ConvNorm`.
    pooled: average pooling in place of strides.
  """

  features: int
  stride: int
  norm: str
  convolution: str
  pooled: bool = False

  @nn.compact
  def __call__(self, x: jax.Array, train: bool) -> jax.Array:
    """Maps `[n, h, w, c]` to `[n, h', w', features]`."""
    made = _made(self)
    stride = 1 if self.pooled else self.stride
    y = nn.relu(made(self.features, stride=stride)(x, train))
    if self.pooled and self.stride > 1:
      # A 1x1 convolution of a mean is the mean of the convolutions.
      x, y = average_pool(x), average_pool(y)
    y = made(self.features)(y, train)
    return nn.relu(y + _shortcut(made, x, y, stride, train))


class Bottleneck(nn.Module):
  """1x1, 3x3 and 1x1 convolutions beside a shortcut; see `Basic`."""

  features: int
  stride: int
  norm: str
  convolution: str

  @nn.compact
  def __call__(self, x: jax.Array, train: bool) -> jax.Array:
    """Maps `[n, h, w, c]` to `[n, h', w', 4 features]`."""
    made = _made(self)
    y = nn.relu(made(self.features, size=1)(x, train))
    y = nn.relu(made(self.features, stride=self.stride)(y, train))
    y = made(_EXPANSION * self.features, size=1)(y, train)
    return nn.relu(y + _shortcut(made, x, y, self.stride, train))


def _made(block: Any) -> Any:
  """`ConvNorm` with the settings of a block or a network."""
  return functools.partial(
    ConvNorm, norm=block.norm, convolution=block.convolution
  )


def _shortcut(
  made: Any, x: jax.Array, y: jax.Array, stride: int, train: bool
) -> jax.Array:
  """`x` itself where it has the shape of `y`, or else a projection of it."""
  if stride == 1 and x.shape[-1] == y.shape[-1]:
    return x
  return made(y.shape[-1], size=1, stride=stride)(x, train)


class ResNet(nn.Module):
  """See the module docstring.

  Attributes:
    stages: blocks of each.
    num_classes: logits.
    width: channels of the stem.
    norm: see `layers.norm_layer`.
    stem: '3x3', or '7x7' of stride 2 with a max pooling.
    bottleneck: blocks of three convolutions rather than two.
    pooled: average pooling in place of strides, and no mean of the last map.
    convolution: see `blocks.ConvNorm`.
  """

  stages: tuple[int, int, int, int]
  num_classes: int
  width: int = 64
  norm: str = 'instance'
  stem: str = '3x3'
  bottleneck: bool = False
  pooled: bool = False
  convolution: str = 'closed'

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> Outputs:
    """Maps `[n, h, w, c]` to `Outputs`."""
    x = self._stem(x, train)
    taps = [x]
    for stage, count in enumerate(self.stages):
      for i in range(count):
        stride = 2 if stage and i == 0 else 1
        x = self._block(self.width * 2**stage, stride)(x, train)
        taps.append(x)
    features = x.reshape(len(x), -1) if self.pooled else jnp.mean(x, (1, 2))
    logits = Dense(self.num_classes, name='head')(features)
    return Outputs(logits, features, tuple(taps))

  def _stem(self, x: jax.Array, train: bool) -> jax.Array:
    if self.stem == '3x3':
      return nn.relu(_made(self)(self.width)(x, train))
    wide = _made(self)(self.width, size=7, stride=2)
    return wide_max_pool(nn.relu(wide(x, train)))

  def _block(self, features: int, stride: int) -> nn.Module:
    if self.bottleneck:
      return Bottleneck(features, stride, self.norm, self.convolution)
    return Basic(features, stride, self.norm, self.convolution, self.pooled)


def resnet(
  stages: tuple[int, int, int, int],
  bottleneck: bool,
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  width: int = 64,
  norm: str = 'instance',
  stem: str = '3x3',
  convolution: str = 'closed',
) -> Network:
  """A ResNet, by default with the stem of the field for small images.

  The last map is averaged over its pixels, at any size of image.

  Args:
    stages: blocks of each stage.
    bottleneck: blocks of three convolutions rather than two.
    image_shape: `(h, w, c)`.
    num_classes: logits.
    width: channels of the stem and the first stage.
    norm: 'instance', 'batch', 'layer', 'group' or 'none'.
    stem: '3x3'; or '7x7' of stride 2 with a 3x3 max pooling, for large images.
    convolution: 'closed', 'im2col' or 'lax', see `layers.Conv`.

  Raises:
    UserError: an unknown name, or images whose last map is one pixel, which
      instance norm would make constant.
  """
  check_name('network.norm', norm, get_args(Norm))
  check_name('network.stem', stem, _STEMS)
  if norm == 'instance':
    name = f"a ResNet with network.stem={stem!r} and network.norm='instance'"
    check_size(image_shape, _HALVED[stem] + 1, name)
  module = ResNet(
    stages,
    num_classes,
    width,
    norm,
    stem,
    bottleneck,
    convolution=convolution,
  )
  return from_flax(module, image_shape)


def resnet18_ap(
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  width: int = 64,
  norm: str = 'instance',
  convolution: str = 'closed',
) -> Network:
  """ResNet-18 with average pooling in place of strides (ResNet18_AP of DC).

  The dense layer reads the whole last map, at any size of image.

  Args:
    image_shape: `(h, w, c)`.
    num_classes: logits.
    width: channels of the stem and the first stage.
    norm: 'instance', 'batch', 'layer', 'group' or 'none'.
    convolution: 'closed', 'im2col' or 'lax', see `layers.Conv`.

  Raises:
    UserError: an unknown norm, or images whose last map is empty, or one pixel,
      which instance norm would make constant.
  """
  check_name('network.norm', norm, get_args(Norm))
  least = 16 if norm == 'instance' else 8
  check_size(image_shape, least, f'resnet18_ap with network.norm={norm!r}')
  module = ResNet(
    (2, 2, 2, 2),
    num_classes,
    width,
    norm,
    pooled=True,
    convolution=convolution,
  )
  return from_flax(module, image_shape)


resnet18 = functools.partial(resnet, (2, 2, 2, 2), False)
resnet34 = functools.partial(resnet, (3, 4, 6, 3), False)
resnet50 = functools.partial(resnet, (3, 4, 6, 3), True)
