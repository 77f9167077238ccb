"""A network: one linear layer, in Flax."""

import flax.linen as nn
import jax

from dd_jax import register
from dd_jax.networks import Network, Outputs, from_flax


class Linear(nn.Module):
  """No hidden layer.

  Attributes:
    num_classes: logits.
    bias: whether there is one.
  """

  num_classes: int
  bias: bool

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> Outputs:
    """Maps `[n, h, w, c]` to `Outputs`."""
    del train
    x = x.reshape(len(x), -1)
    head = nn.Dense(self.num_classes, use_bias=self.bias, name='head')
    return Outputs(head(x), x, (x,))


def linear_net(
  image_shape: tuple[int, int, int], num_classes: int, *, bias: bool = True
) -> Network:
  """Softmax regression."""
  return from_flax(Linear(num_classes, bias), image_shape)


register.network('linear_net', linear_net)
