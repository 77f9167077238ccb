"""VGG as the field has it for small images.

Five groups of 3x3 convolutions, normalisation and ReLU, each ending in 2x2 max
pooling, and one dense layer (Simonyan and Zisserman, arXiv 1409.1556; Zhao et
al., arXiv 2006.05929).
"""

import functools
from typing import get_args

import flax.linen as nn
import jax
import jax.numpy as jnp

from dd_jax.checks import check_name
from dd_jax.networks.blocks import ConvNorm, check_size
from dd_jax.networks.convnet import default_padding
from dd_jax.networks.layers import Dense, Norm, max_pool
from dd_jax.networks.network import Network, Outputs, from_flax

_TIMES = (1, 2, 4, 8, 8)  # channels of each group, in widths
_SMALLEST = 2 ** len(_TIMES)


class VGG(nn.Module):
  """See the module docstring.

  Attributes:
    groups: convolutions of each group.
    num_classes: logits.
    width: channels of the first group.
    norm: after every convolution, see `layers.norm_layer`.
    first_padding: pixels of padding of the first convolution.
    convolution: see `blocks.ConvNorm`.
  """

  groups: tuple[int, int, int, int, int]
  num_classes: int
  width: int = 64
  norm: str = 'instance'
  first_padding: int = 1
  convolution: str = 'closed'

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> Outputs:
    """Maps `[n, h, w, c]` to `Outputs`."""
    taps: list[jax.Array] = []
    for times, count in zip(_TIMES, self.groups, strict=True):
      for _ in range(count):
        block = ConvNorm(
          times * self.width,
          self.norm,
          padding=1 if taps else self.first_padding,
          use_bias=True,
          convolution=self.convolution,
        )
        x = nn.relu(block(x, train))
        taps.append(x)
      x = max_pool(x)
    features = jnp.mean(x, (1, 2))
    logits = Dense(self.num_classes, name='head')(features)
    return Outputs(logits, features, (*taps, x))


def vgg(
  groups: tuple[int, int, int, int, int],
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  width: int = 64,
  norm: str = 'instance',
  convolution: str = 'closed',
) -> Network:
  """VGG for images of 28x28, padded to 32x32, or of 32x32 and more.

  The original takes no others. The last map, 1x1 at 32x32, is averaged over its
  pixels.

  Args:
    groups: convolutions of each group.
    image_shape: `(h, w, c)`.
    num_classes: logits.
    width: channels of the first group; the others have 2, 4, 8 and 8 times as
      many.
    norm: 'instance', 'batch', 'layer', 'group' or 'none'.
    convolution: 'closed', 'im2col' or 'lax', see `layers.Conv`.

  Raises:
    UserError: an unknown norm, or the images are smaller.
  """
  check_name('network.norm', norm, get_args(Norm))
  padding = default_padding(image_shape)
  if padding == 1:  # 28x28 becomes 32x32
    check_size(image_shape, _SMALLEST, 'VGG (but for 28 x 28)')
  module = VGG(groups, num_classes, width, norm, padding, convolution)
  return from_flax(module, image_shape)


vgg11 = functools.partial(vgg, (1, 1, 2, 2, 2))
vgg13 = functools.partial(vgg, (2, 2, 2, 2, 2))
vgg16 = functools.partial(vgg, (2, 2, 3, 3, 3))
vgg19 = functools.partial(vgg, (2, 2, 4, 4, 4))
