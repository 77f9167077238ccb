"""KIP's ConvNet of finite width (arXiv 2107.13034).

Groups of 3x3 convolution and ReLU, each group closed by 2x2 average pooling,
then one dense layer; no normalisation. As it widens its kernels become those of
`kernels.conv`, architectures 'convnet' and 'convnet3'.
"""

import flax.linen as nn
import jax

from dd_jax.networks.blocks import check_size
from dd_jax.networks.layers import Conv, Dense, average_pool, initializers
from dd_jax.networks.network import Network, Outputs, from_flax
from dd_jax.types import UserError


class KIPConvNet(nn.Module):
  """See the module docstring.

  Attributes:
    groups: convolutions before each pool.
    width: channels of every convolution.
    num_classes: logits.
    convolution: implementation, see `layers.Conv`.
  """

  groups: tuple[int, ...]
  width: int
  num_classes: int
  convolution: str = 'closed'

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> Outputs:
    """Maps `[n, h, w, c]` to `Outputs`."""
    del train
    taps = []
    for count in self.groups:
      for _ in range(count):
        weight, bias = initializers('nngp', 9 * x.shape[-1])
        layer = Conv(
          self.width,
          kernel_init=weight,
          bias_init=bias,
          implementation=self.convolution,  # type: ignore[arg-type]
        )
        x = nn.relu(layer(x))
      taps.append(x)
      x = average_pool(x)
    features = x.reshape(x.shape[0], -1)
    logits = Dense(self.num_classes, 'nngp', name='head')(features)
    return Outputs(logits, features, (*taps, x))


def kip_convnet(
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  width: int = 1024,
  first: int = 2,
  convolution: str = 'closed',
) -> Network:
  """KIP's ConvNet: three pools, an extra convolution before the first.

  Args:
    image_shape: `(h, w, c)`.
    num_classes: logits.
    width: channels.
    first: convolutions before the first pool: 2 for ConvNet, 1 for ConvNet3.
    convolution: 'closed', 'im2col' or 'lax', see `layers.Conv`.

  Raises:
    UserError: images below 8x8, or no convolution before the first pool.
  """
  check_size(image_shape, 8, 'kip_convnet')
  if first < 1:
    raise UserError(f'network.first={first}: allowed are 1 and more')
  module = KIPConvNet((first, 1, 1), width, num_classes, convolution)
  return from_flax(module, image_shape)
