"""Augmentations that mix images with one another, and their labels too."""

import jax
import jax.numpy as jnp

from dd_jax.types import Key, LabeledData


def cutmix(
  key: Key, data: LabeledData, probability: float = 0.5
) -> LabeledData:
  """CutMix of a batch with a permutation of itself (arXiv 1905.04899).

  With this probability one rectangle, its centre uniform in the image and its
  sides `sqrt(1 - u)` of the image's (`u` uniform: a beta of 1), shows the other
  image in every image of the batch; labels mix by the area that it covers.

  Args:
    key: decides all draws.
    data: `[n, h, w, c]`, `[n, k]`.
    probability: of mixing at all.
  """
  k_whether, k_share, k_centre, k_order = jax.random.split(key, 4)
  height, width = data.image.shape[1:3]
  size = jnp.array([height, width], jnp.float32)
  share = jax.random.uniform(k_share, (), jnp.float32)
  centre = jnp.floor(jax.random.uniform(k_centre, (2,), jnp.float32) * size)
  half = jnp.floor(jnp.sqrt(1 - share) * size) // 2
  low = jnp.maximum(centre - half, 0)
  high = jnp.minimum(centre + half, size)
  rows, columns = jnp.arange(height)[:, None], jnp.arange(width)[None]
  inside = (rows >= low[0]) & (rows < high[0])
  inside = inside & (columns >= low[1]) & (columns < high[1])
  inside = inside & jax.random.bernoulli(k_whether, jnp.float32(probability))
  order = jax.random.permutation(k_order, len(data.image))
  area = jnp.mean(inside, dtype=data.label.dtype)
  return LabeledData(
    jnp.where(inside[..., None], data.image[order], data.image),
    (1 - area) * data.label + area * data.label[order],
  )
