"""A plain Flax classifier: logits, and nothing of this package."""

import jax
from flax import nnx


class Perceptron(nnx.Module):
  """One hidden layer, with dropout."""

  def __init__(self, size: int, num_classes: int, width: int, rngs: nnx.Rngs):
    self.hidden = nnx.Linear(size, width, rngs=rngs)
    self.dropout = nnx.Dropout(0.2, rngs=rngs)
    self.head = nnx.Linear(width, num_classes, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps `[n, h, w, c]` to logits `[n, k]`."""
    x = nnx.relu(self.hidden(x.reshape(len(x), -1)))
    return self.head(self.dropout(x))


def perceptron(
  image_shape: tuple[int, int, int],
  num_classes: int,
  rngs: nnx.Rngs,
  *,
  width: int = 64,
) -> Perceptron:
  """A perceptron of one hidden layer."""
  height, columns, channels = image_shape
  return Perceptron(height * columns * channels, num_classes, width, rngs)
