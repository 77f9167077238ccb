"""Augmentations of a batch from operations on an image, and from each other."""

from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp
from jax import lax

from dd_jax.augment.operations import Operation
from dd_jax.types import Augment, Key


def identity(key: Key, images: jax.Array) -> jax.Array:
  """Changes nothing."""
  del key
  return images


def each(operation: Operation, *, siamese: bool = False) -> Augment:
  """Applies one operation to every image of a batch.

  Args:
    operation: `(key, image [h, w, c]) -> image`.
    siamese: one draw of its parameters for the whole batch, instead of an
      independent one per image.

  Returns:
    An augmentation of `[n, h, w, c]`.
  """

  def augment(key: Key, images: jax.Array) -> jax.Array:
    chex.assert_rank(images, 4)
    if siamese:
      return jax.vmap(operation, (None, 0))(key, images)
    return jax.vmap(operation)(jax.random.split(key, len(images)), images)

  return augment


def one_of(augments: Sequence[Augment]) -> Augment:
  """Applies one of these to the whole batch, drawn uniformly per call.

  Only the one that was drawn is computed, unless the key itself is batched by
  `vmap` (loop with `lax.map` over keys there).
  """

  def augment(key: Key, images: jax.Array) -> jax.Array:
    choice_key, key = jax.random.split(key)
    choice = jax.random.randint(choice_key, (), 0, len(augments), jnp.int32)
    return lax.switch(choice, augments, key, images)

  return augment


def in_turn(augments: Sequence[Augment]) -> Augment:
  """Applies all of these, one after the other."""

  def augment(key: Key, images: jax.Array) -> jax.Array:
    keys = jax.random.split(key, len(augments))
    for each_key, one in zip(keys, augments, strict=True):
      images = one(each_key, images)
    return images

  return augment


def per_image(augment: Augment) -> Augment:
  """Draws everything afresh for every image, the choice of operation too.

  Every operation is then computed for every image.
  """
  return each(lambda key, image: augment(key, image[None])[0])
