"""DenseNet-121: every layer reads all that came before it in its block.

A 7x7 stem, four blocks of 1x1 and 3x3 convolutions with halving transitions
between them, one dense layer (Huang et al., arXiv 1608.06993).
"""

from typing import get_args

import flax.linen as nn
import jax
import jax.numpy as jnp

from dd_jax.checks import check_name
from dd_jax.networks.blocks import ConvNorm, check_size
from dd_jax.networks.layers import (
  Dense,
  Norm,
  average_pool,
  norm_layer,
  wide_max_pool,
)
from dd_jax.networks.network import Network, Outputs, from_flax

_NARROW = 4  # channels of a 1x1 convolution, in growths
_SMALLEST = {True: 61, False: 29}  # whether the last map needs two pixels


class DenseNet(nn.Module):
  """See the module docstring.

  Attributes:
    blocks: layers of each.
    num_classes: logits.
    growth: channels that a layer adds.
    norm: before every convolution but the first, see `layers.norm_layer`.
    convolution: see `blocks.ConvNorm`.
  """

  blocks: tuple[int, ...]
  num_classes: int
  growth: int = 32
  norm: str = 'batch'
  convolution: str = 'closed'

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> Outputs:
    """Maps `[n, h, w, c]` to `Outputs`."""
    stem = self._convolution(2 * self.growth, 7, self.norm, stride=2)
    x = wide_max_pool(nn.relu(stem(x, train)))
    taps = [x]
    for i, count in enumerate(self.blocks):
      if i:
        x = self._convolution(x.shape[-1] // 2, 1)(self._ready(x, train))
        x = average_pool(x)
      for _ in range(count):
        x = jnp.concatenate([x, self._layer(x, train)], -1)
      taps.append(x)
    features = jnp.mean(self._ready(x, train), (1, 2))
    logits = Dense(self.num_classes, name='head')(features)
    return Outputs(logits, features, tuple(taps))

  def _layer(self, x: jax.Array, train: bool) -> jax.Array:
    narrow = self._convolution(_NARROW * self.growth, 1, self.norm)
    x = nn.relu(narrow(self._ready(x, train), train))
    return self._convolution(self.growth, 3)(x)

  def _convolution(
    self, features: int, size: int, norm: str = 'none', stride: int = 1
  ) -> ConvNorm:
    return ConvNorm(features, norm, size, stride, convolution=self.convolution)

  def _ready(self, x: jax.Array, train: bool) -> jax.Array:
    """Normalised, and none below zero."""
    return nn.relu(norm_layer(self.norm, train=train)(x))


def densenet121(
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  growth: int = 32,
  norm: str = 'batch',
  convolution: str = 'closed',
) -> Network:
  """DenseNet-121 with its 7x7 stem, for images of 29x29 and more.

  Weights start as PyTorch's layers have them by default.

  Args:
    image_shape: `(h, w, c)`.
    num_classes: logits.
    growth: channels that a layer adds.
    norm: 'batch', 'instance', 'layer', 'group' or 'none'.
    convolution: 'closed', 'im2col' or 'lax', see `layers.Conv`.

  Raises:
    UserError: an unknown norm, or images whose last map is empty, or one pixel,
      which instance norm would make constant.
  """
  check_name('network.norm', norm, get_args(Norm))
  least = _SMALLEST[norm == 'instance']
  check_size(image_shape, least, f'densenet121 with network.norm={norm!r}')
  module = DenseNet((6, 12, 24, 16), num_classes, growth, norm, convolution)
  return from_flax(module, image_shape)
