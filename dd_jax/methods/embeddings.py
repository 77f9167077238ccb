"""Embeddings of the real and of the synthetic images of every class."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from dd_jax.networks import Network, Outputs
from dd_jax.training import each_class, map_chunks
from dd_jax.types import Augment, Key, PyTree

_HELD = 128  # synthetic images whose activations may be held for the gradient


class Embedding(NamedTuple):
  """What a network makes of the images of every class.

  Attributes:
    mean: averaged over a class's images: `[k, ...]`.
    each: of every single image: `[k, n, ...]`.
  """

  mean: PyTree = ()
  each: PyTree = ()


class Embedder(NamedTuple):
  """How images are embedded.

  Attributes:
    network: the learner.
    embed: what is taken of one forward pass, leaves all `[n, ...]`.
    augment: the same draw for a class's real and synthetic images, or None.
  """

  network: Network
  embed: Callable[[Outputs], Embedding]
  augment: Augment | None


def embeddings(
  embedder: Embedder,
  variables: PyTree,
  keys: Key,
  support: jax.Array,
  real: jax.Array,
) -> tuple[Embedding, Embedding]:
  """Embeds the real and the synthetic images of each class.

  No gradient flows to the real ones, which pass in chunks that fit the cache;
  many synthetic ones pass in chunks too, computed again for the gradient, so
  that memory does not grow with the support set. Batch norm normalises by the
  batch, all classes together.

  Args:
    embedder: how.
    variables: of the network in use.
    keys: of the augmentation, one for each class: `[k]`.
    support: class-major synthetic images, `[k * m, h, w, c]`.
    real: `[b, k, h, w, c]`.

  Returns:
    `(real, synthetic)`.
  """
  classes, platform = real.shape[1], embedder.network.runs_on
  batch_norm = len(variables) > 1

  def embed(image: jax.Array) -> Embedding:
    out, _ = embedder.network.apply(variables, image, train=batch_norm)
    return embedder.embed(out)

  def transform(image: jax.Array) -> jax.Array:
    """Augments `[k, n, ...]`, each class by a draw of its own."""
    augment = embedder.augment
    if augment is None:
      return image
    return each_class(platform, augment, keys, image)

  real = transform(jnp.moveaxis(real, 1, 0))
  size = platform.pass_examples
  together = platform.gradient_classes > 1
  if batch_norm:
    target = _as_one(embed, real)
  elif together:
    target = _in_chunks(embed, real, size)
  else:
    target = _class_by_class(embed, real, size)
  at_once = batch_norm or len(support) <= _HELD
  support = transform(support.reshape(classes, -1, *support.shape[1:]))
  return jax.lax.stop_gradient(target), (
    _as_one(embed, support)
    if at_once
    else _in_chunks(jax.checkpoint(embed), support, size)
  )


Embed = Callable[[jax.Array], Embedding]


def _class_by_class(embed: Embed, image: jax.Array, size: int) -> Embedding:
  """Embeds `[k, n, ...]` in chunks of one class, adding up what is averaged."""

  def chunk(image: jax.Array) -> Embedding:
    found = embed(image)
    added = jax.tree.map(lambda a: jnp.sum(a, 0, keepdims=True), found.mean)
    return Embedding(added, found.each)

  def one(image: jax.Array) -> Embedding:
    found = map_chunks(chunk, image, size)
    mean = jax.tree.map(lambda a: jnp.sum(a, 0) / len(image), found.mean)
    return Embedding(mean, found.each)

  return jax.lax.map(one, image)


def _in_chunks(embed: Embed, image: jax.Array, size: int) -> Embedding:
  """Embeds `[k, n, ...]` in chunks of any classes."""
  flat = image.reshape(-1, *image.shape[2:])
  return _by_class(map_chunks(embed, flat, size), image.shape[:2])


def _as_one(embed: Embed, image: jax.Array) -> Embedding:
  """Embeds `[k, n, ...]` as one batch."""
  flat = image.reshape(-1, *image.shape[2:])
  return _by_class(embed(flat), image.shape[:2])


def _by_class(found: Embedding, shape: tuple[int, ...]) -> Embedding:
  """Splits the leading axis of every leaf into `(k, n)`, and averages."""
  split = jax.tree.map(lambda a: a.reshape(*shape, *a.shape[1:]), found)
  mean = jax.tree.map(lambda a: a.mean(1), split.mean)
  return Embedding(mean, split.each)
