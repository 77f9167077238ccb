"""Accuracy on test images that were changed, as pixels."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.data.preprocess import Preprocessing, to_unit
from dd_jax.evaluation.metrics.base import Case, Measure, measure
from dd_jax.evaluation.tester import Answer, Look, decided
from dd_jax.types import Key

_CHUNK = 32


class Chunk(NamedTuple):
  """A few images, and what is to become of them.

  Attributes:
    key: of all that is drawn.
    pixel: in [0, 1], `[b, h, w, c]`.
    label: int32 `[b]`.
    level: a scalar: the budget of an attack, the severity of a corruption.
  """

  key: Key
  pixel: jax.Array
  label: jax.Array
  level: jax.Array


Change: TypeAlias = Callable[[Answer, Chunk], jax.Array]
"""`(what one learner answers to pixels, chunk) -> pixels in [0, 1]`, traced."""


class About(NamedTuple):
  """What learners are asked: all images, at one level."""

  key: Key
  image: jax.Array
  label: jax.Array
  level: jax.Array
  preprocessing: Preprocessing


def accuracy(
  case: Case, change: Change, levels: Sequence[float], about: str
) -> Measure:
  """Accuracy of each learner on changed images, a mean over levels.

  Args:
    case: gives learners and pixels.
    change: what is done to the images; for all learners by the same draws.
    levels: at each of which all images are asked.
    about: how, for the record.
  """
  image, label, preprocessing = case.pixels
  key, size = case.key, len(label)
  found = []
  for level in levels:
    asked = About(
      key, jnp.asarray(image), jnp.asarray(label), jnp.float32(level),
      preprocessing,
    )  # fmt: skip
    said = case.tester.ask(look(change), case.learners, asked)
    found.append(np.mean(np.asarray(said) == label, -1))
  shares = 100 * np.array(found)
  each = shares.mean(1) if len(levels) > 1 else ()
  return measure(shares.mean(0), '%', f'{about}; {size:,} test images', each)


@functools.cache
def look(change: Change) -> Look:
  """What classes a learner names after `change`; one function for each."""

  def looked(answer: Answer, about: About) -> jax.Array:
    def from_pixels(pixel: jax.Array) -> jax.Array:
      return answer(about.preprocessing.apply(pixel))

    def one(i: jax.Array) -> jax.Array:
      index = jnp.minimum(i * _CHUNK + jnp.arange(_CHUNK), size - 1)
      pixel, label = to_unit(about.image[index]), about.label[index]
      key = jax.random.fold_in(about.key, i)
      moved = change(from_pixels, Chunk(key, pixel, label, about.level))
      return decided(from_pixels(moved))

    size = about.image.shape[0]
    return jax.lax.map(one, jnp.arange(-(-size // _CHUNK))).reshape(-1)[:size]

  return looked
