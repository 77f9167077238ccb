"""AlexNet as the field has it for small images.

Two 5x5 and three 3x3 convolutions with ReLU, 2x2 max pooling after the first,
second and last, one dense layer (Zhao et al., arXiv 2006.05929).
"""

from typing import get_args

import flax.linen as nn
import jax

from dd_jax.checks import check_name
from dd_jax.networks.blocks import ConvNorm, check_size
from dd_jax.networks.convnet import default_padding
from dd_jax.networks.layers import Dense, Norm, max_pool
from dd_jax.networks.network import Network, Outputs, from_flax

_SMALLEST = 8
_SIZES = (5, 5, 3, 3, 3)
_HALVES = (2, 3, 4, 3, 3)  # channels, in halves of the width
_POOLED = (0, 1, 4)


class AlexNet(nn.Module):
  """See the module docstring.

  Attributes:
    num_classes: logits.
    width: channels of the first convolution.
    norm: after every convolution, see `layers.norm_layer`.
    first_padding: pixels of padding of the first convolution.
    convolution: see `blocks.ConvNorm`.
  """

  num_classes: int
  width: int = 128
  norm: str = 'none'
  first_padding: int = 2
  convolution: str = 'closed'

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> Outputs:
    """Maps `[n, h, w, c]` to `Outputs`."""
    taps = []
    for i, size in enumerate(_SIZES):
      block = ConvNorm(
        self.width * _HALVES[i] // 2,
        self.norm,
        size,
        padding=self.first_padding if i == 0 else None,
        use_bias=True,
        convolution=self.convolution,
      )
      x = nn.relu(block(x, train))
      taps.append(x)
      x = max_pool(x) if i in _POOLED else x
    features = x.reshape(x.shape[0], -1)
    logits = Dense(self.num_classes, name='head')(features)
    return Outputs(logits, features, (*taps, x))


def alexnet(
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  width: int = 128,
  norm: str = 'none',
  convolution: str = 'closed',
) -> Network:
  """AlexNet for images of any size from 8x8 up; 'batch' norm is AlexNetBN.

  The dense layer reads the whole last map, 4x4 at 32x32, where the original
  takes no other size. Images of 28x28 are padded to 32x32, as there.

  Args:
    image_shape: `(h, w, c)`.
    num_classes: logits.
    width: channels of the first convolution; the others have 1.5, 2, 1.5 and
      1.5 times as many.
    norm: 'none', 'batch', 'instance', 'layer' or 'group'.
    convolution: 'closed', 'im2col' or 'lax', see `layers.Conv`.

  Raises:
    UserError: an unknown norm, or the images are smaller.
  """
  check_name('network.norm', norm, get_args(Norm))
  check_size(image_shape, _SMALLEST, 'AlexNet')
  padding = default_padding(image_shape) + 1
  module = AlexNet(num_classes, width, norm, padding, convolution)
  return from_flax(module, image_shape)
