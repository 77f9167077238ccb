"""The augmentation of DC's protocol: three operations in one resampling."""

from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp
from jax import lax

from dd_jax.augment.combination import each
from dd_jax.augment.draws import integers, symmetric
from dd_jax.augment.images import bilinear
from dd_jax.types import Augment, Key


def dc_mnist(
  pad: int = 4, ratio: float = 0.2, degrees: float = 45.0
) -> Augment:
  """The augmentation under which DC trains on distilled MNIST.

  Every image gets one of: a crop of the image padded by `pad` with the batch's
  channel means; a nearest-neighbour scaling of each axis by up to ±`ratio`,
  zero fill; a rotation by a whole number of degrees, filled with the batch's
  mean (bilinear here; cubic spline in the published code). The three are one
  resampling, whose coordinates differ. Source: Zhao et al., arXiv 2006.05929.

  Args:
    pad: pixels.
    ratio: relative change of size.
    degrees: largest angle.

  Returns:
    The augmentation; its draws are independent per image.
  """

  def augment(key: Key, images: jax.Array) -> jax.Array:
    chex.assert_rank(images, 4)
    shape = images.shape[1:]
    grids = (
      lambda k: _crop(k, shape, pad),
      lambda k: _scale(k, shape, ratio),
      lambda k: _rotate(k, shape, degrees),
    )
    means = images.mean((0, 1, 2))
    zero = jnp.zeros_like(means)
    fills = jnp.stack([means, zero, zero + means.mean()])

    def one(key: Key, image: jax.Array) -> jax.Array:
      choice_key, key = jax.random.split(key)
      choice = jax.random.randint(choice_key, (), 0, 3, jnp.int32)
      rows, columns = lax.switch(choice, grids, key)
      return bilinear(image, rows, columns, fills[choice])

    return each(one)(key, images)

  return augment


def _grid(shape: Sequence[int]) -> tuple[jax.Array, jax.Array]:
  rows, columns = jnp.indices(shape[:2])
  return rows, columns


def _crop(
  key: Key, shape: Sequence[int], pad: int
) -> tuple[jax.Array, jax.Array]:
  # The published code draws 0 .. 2 pad - 1: never the last position.
  dy, dx = integers(key, [-pad, -pad], [pad - 1, pad - 1])
  rows, columns = _grid(shape)
  return _floats(rows + dy, columns + dx)


def _scale(
  key: Key, shape: Sequence[int], ratio: float
) -> tuple[jax.Array, jax.Array]:
  factors = 1 + ratio * symmetric(key, (2,))
  sizes = (factors * jnp.array(shape[:2])).astype(jnp.int32)
  rows, columns = _grid(shape)
  canvas = jnp.maximum(sizes.max(), max(shape[:2]))
  return _floats(
    _nearest(rows, shape[0], sizes[0], canvas),
    _nearest(columns, shape[1], sizes[1], canvas),
  )


def _nearest(
  index: jax.Array, size: int, scaled: jax.Array, canvas: jax.Array
) -> jax.Array:
  """Source of each output index: scaled, centred on a canvas, cut back."""
  place = index + (canvas - size) // 2 - (canvas - scaled) // 2
  inside = (place >= 0) & (place < scaled)
  return jnp.where(inside, place * size // scaled, -2)


def _rotate(
  key: Key, shape: Sequence[int], degrees: float
) -> tuple[jax.Array, jax.Array]:
  whole = int(degrees)
  angle = jnp.deg2rad(integers(key, [-whole], [whole - 1])[0])
  rows, columns = _grid(shape)
  y, x = rows - (shape[0] - 1) / 2, columns - (shape[1] - 1) / 2
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  return _floats(
    cos * y + sin * x + (shape[0] - 1) / 2,
    cos * x - sin * y + (shape[1] - 1) / 2,
  )


def _floats(rows: jax.Array, columns: jax.Array) -> tuple[jax.Array, jax.Array]:
  return rows.astype(jnp.float32), columns.astype(jnp.float32)
