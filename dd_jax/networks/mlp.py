"""A multi-layer perceptron: 128-128 in the field's comparisons."""

import flax.linen as nn
import jax

from dd_jax.networks.layers import Dense
from dd_jax.networks.network import Network, Outputs, from_flax


class MLP(nn.Module):
  """Dense layers with ReLU; no normalisation.

  Attributes:
    widths: of the hidden layers.
    num_classes: logits.
    initializer: 'torch' or 'lecun'.
  """

  widths: tuple[int, ...]
  num_classes: int
  initializer: str = 'torch'

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> Outputs:
    """Maps `[n, h, w, c]` to `Outputs`."""
    del train
    x = x.reshape(x.shape[0], -1)
    taps = []
    for width in self.widths:
      x = nn.relu(Dense(width, self.initializer)(x))
      taps.append(x)
    head = Dense(self.num_classes, self.initializer, name='head')
    return Outputs(head(x), x, tuple(taps))


def mlp(
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  width: int = 128,
  depth: int = 2,
  initializer: str = 'torch',
) -> Network:
  """`depth` hidden layers of `width` units."""
  module = MLP((width,) * depth, num_classes, initializer)
  return from_flax(module, image_shape)
