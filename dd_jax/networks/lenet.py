"""LeNet, as dataset distillation and label distillation use it on digits.

Two 5x5 convolutions of 6 and 16 channels, each with ReLU and 2x2 max pooling,
then dense layers of 120, 84 and `k` units (Wang et al., arXiv 1811.10959).
"""

import flax.linen as nn
import jax

from dd_jax.networks.blocks import check_size
from dd_jax.networks.layers import Conv, Dense, initializers, max_pool
from dd_jax.networks.network import Network, Outputs, from_flax

_SMALLEST = 8
_SMALLEST_UNPADDED = 16  # below this the second convolution is padded too


class LeNet(nn.Module):
  """See the module docstring.

  Attributes:
    num_classes: logits.
    widths: channels of the convolutions, units of the dense layers.
    initializer: 'torch' or 'lecun', see `layers.initializers`.
  """

  num_classes: int
  widths: tuple[int, int, int, int] = (6, 16, 120, 84)
  initializer: str = 'torch'

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> Outputs:
    """Maps `[n, h, w, c]` to `Outputs`."""
    del train
    small = min(x.shape[1:3]) < _SMALLEST_UNPADDED
    # As published: 28x28 digits are padded, 32x32 images are not.
    paddings = 2 if small or x.shape[1] == 28 else 0, 2 if small else 0
    taps = []
    for width, padding in zip(self.widths[:2], paddings, strict=True):
      x = nn.relu(self._convolution(width, padding, x.shape[-1])(x))
      taps.append(x)
      x = max_pool(x)
    x = x.reshape(x.shape[0], -1)
    for width in self.widths[2:]:
      x = nn.relu(Dense(width, self.initializer)(x))
      taps.append(x)
    head = Dense(self.num_classes, self.initializer, name='head')
    return Outputs(head(x), x, tuple(taps))

  def _convolution(self, width: int, padding: int, channels: int) -> Conv:
    weight, bias = initializers(self.initializer, 25 * channels)
    return Conv(
      width,
      kernel_size=(5, 5),
      padding=padding,
      kernel_init=weight,
      bias_init=bias,
      implementation='im2col',
    )


def lenet(
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  initializer: str = 'torch',
) -> Network:
  """LeNet for images of any size from 8x8 up.

  Args:
    image_shape: `(h, w, c)`.
    num_classes: logits.
    initializer: 'torch' or 'lecun'.

  Raises:
    UserError: the images are smaller.
  """
  check_size(image_shape, _SMALLEST, 'LeNet')
  return from_flax(LeNet(num_classes, initializer=initializer), image_shape)
