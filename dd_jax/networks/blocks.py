"""What the larger networks share: a normalised convolution, sizes refused."""

import flax.linen as nn
import jax

from dd_jax.networks.layers import Conv, Convolution, initializers, norm_layer
from dd_jax.types import UserError


class ConvNorm(nn.Module):
  """A square convolution with PyTorch's initial values, then a normalisation.

  Attributes:
    features: output channels.
    norm: see `layers.norm_layer`.
    size: of the kernel.
    stride: the same in both directions.
    padding: pixels on every side; by default those that keep the size.
    use_bias: of the convolution.
    convolution: 'closed', 'im2col' or 'lax', see `layers.Conv`. What 'closed'
      does not cover is a matrix product: its gradient is fast on a CPU.
  """

  features: int
  norm: str
  size: int = 3
  stride: int = 1
  padding: int | None = None
  use_bias: bool = False
  convolution: str = 'closed'

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
    """Maps `[n, h, w, c]` to `[n, h', w', features]`."""
    weight, bias = initializers('torch', self.size**2 * x.shape[-1])
    convolution = Conv(
      self.features,
      kernel_size=(self.size, self.size),
      stride=self.stride,
      padding=self.size // 2 if self.padding is None else self.padding,
      kernel_init=weight,
      bias_init=bias,
      implementation=self._implementation(),
      use_bias=self.use_bias,
    )
    return norm_layer(self.norm, train=train)(convolution(x))

  def _implementation(self) -> Convolution:
    closed = self.size == 3 and self.stride == 1
    if self.convolution == 'closed' and not closed:
      return 'im2col'
    return self.convolution  # type: ignore[return-value]


def check_size(
  image_shape: tuple[int, int, int], least: int, name: str
) -> None:
  """Refuses images that a network leaves no map of.

  Args:
    image_shape: `(h, w, c)`.
    least: side of the smallest square image that it takes.
    name: of the network.

  Raises:
    UserError: names the size and what is allowed.
  """
  if min(image_shape[:2]) < least:
    height, width, _ = image_shape
    raise UserError(
      f'images of {height} x {width} are too small for {name}: allowed are '
      f'{least} x {least} and more'
    )
