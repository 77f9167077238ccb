"""A source's examples class by class, chosen and read on the host."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.data.source import Source
from dd_jax.types import Key, UserError

_TAKE = 1024


def numpy_generator(key: Key) -> np.random.Generator:
  """A NumPy generator seeded by a JAX key, for work on the host."""
  return np.random.default_rng(np.asarray(jax.random.key_data(key)))


def class_members(source: Source) -> list[np.ndarray]:
  """Indices of each class's examples: `k` arrays, int32 `[m]` each."""
  table, count = np.asarray(source.class_table), np.asarray(source.class_count)
  return [row[:n] for row, n in zip(table, count, strict=True)]


def take_images(source: Source, indices: np.ndarray) -> jax.Array:
  """Images of `indices [m]`, read in chunks: `[m, h, w, c]`."""
  parts = [
    source.take(jnp.asarray(indices[i : i + _TAKE])).image
    for i in range(0, len(indices), _TAKE)
  ]
  return jnp.concatenate(parts)


def check_counts(source: Source, count: int) -> None:
  """Refuses a class with fewer examples than are needed.

  Raises:
    UserError: there is one.
  """
  have = np.asarray(source.class_count)
  if have.min() < count:
    raise UserError(
      f'class {int(have.argmin())} has only {int(have.min())} training '
      f'examples; needed are {count}'
    )


def repeats(source: Source, count: int) -> np.ndarray:
  """Which of `count` examples of each class come again: bool `[k, count]`.

  Those after the first of them, as many as the class has.
  """
  return np.arange(count) >= np.asarray(source.class_count)[:, None]


def fewer(
  source: Source, names: Sequence[str], count: int | Sequence[int]
) -> str:
  """The classes of fewer than `count` examples, as text; '' where none are.

  Args:
    source: the real data.
    names: of its classes.
    count: for every class, or for each.
  """
  have = np.asarray(source.class_count)
  return ', '.join(
    f'{have[c]} of {names[int(c)]!r}'
    for c in np.flatnonzero(have < np.asarray(count))
  )
