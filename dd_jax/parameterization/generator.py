"""Generator: a network draws the images, and its weights are what is learned.

Such et al. (generative teaching networks, arXiv 1912.07768): images are drawn
from a code and the class. Codes are learned too (their curriculum).
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from dd_jax.checks import check_least
from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import Source
from dd_jax.networks.layers import Conv, Dense
from dd_jax.parameterization.base import Parameterization
from dd_jax.parameterization.labels import Images, Stored, make_labels
from dd_jax.parameterization.resize import resize
from dd_jax.parameterization.storage import budget_of
from dd_jax.types import Key, PyTree


class Generator(nn.Module):
  """A dense layer, then two convolutions, each after doubling the size.

  Attributes:
    image_shape: `(h, w, c)`.
    width: channels before the last layer.
  """

  image_shape: tuple[int, int, int]
  width: int

  @nn.compact
  def __call__(self, code: jax.Array) -> jax.Array:
    """Draws `[n, h, w, c]` from `[n, d]`."""
    h, w, c = self.image_shape
    rows, columns = -(-h // 4), -(-w // 4)
    x = nn.leaky_relu(Dense(rows * columns * self.width)(code), 0.1)
    x = x.reshape(-1, rows, columns, self.width)
    x = resize(x, -(-h // 2), -(-w // 2))
    x = nn.leaky_relu(Conv(self.width)(x), 0.1)
    return Conv(c)(resize(x, h, w))


def generator(
  ipc: int,
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  width: int = 4,
  size: int = 8,
  images: int = 0,
  labels: str = 'free',
  encoding: LabelEncoding | None = None,
  label_rule: str = 'plain',
) -> Parameterization:
  """A generator and its codes in the room of `ipc` plain images per class.

  Weights start at random, codes as normal noise: no `start` has a part in it.

  Args:
    ipc: the budget, in plain images per class.
    image_shape: `(h, w, c)`.
    num_classes: `k`.
    width: of the generator.
    size: numbers of a code.
    images: decoded per class; 0 for as many as the budget holds.
    labels: see `pixels`; one of its own for each image.
    encoding: of the labels.
    label_rule: see `pixels`.

  Raises:
    UserError: the budget has no room for the weights.
  """
  check_least(1, width=width, size=size)
  module = Generator(image_shape, width)
  target = make_labels(labels, label_rule, encoding)
  code = jax.ShapeDtypeStruct((1, size + num_classes), jnp.float32)
  weights = jax.eval_shape(module.init, jax.random.key(0), code)
  room = budget_of(ipc, image_shape, num_classes, target).room(
    images,
    shared=sum(a.size for a in jax.tree.leaves(weights)),
    each=size,
    what="the generator's weights",
  )
  per_class = room.per_class

  def init(key: Key, source: Source) -> Stored:
    del source
    k_weights, k_code = jax.random.split(key)
    shape = (num_classes * per_class, size)
    weights = module.init(k_weights, jnp.zeros(code.shape))['params']
    return {
      'weights': weights,
      'code': jax.random.normal(k_code, shape),
    }, {}

  def decode(params: PyTree, constants: PyTree) -> jax.Array:
    del constants
    one_hot = jnp.eye(num_classes, dtype=params['code'].dtype)
    one_hot = jnp.repeat(one_hot, per_class, 0)
    joined = jnp.concatenate([params['code'], one_hot], -1)
    image: Any = module.apply({'params': params['weights']}, joined)
    return image

  return room.filled(Images(init, decode))
