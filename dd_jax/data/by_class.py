"""A source's examples class by class, chosen and read on the host."""

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.checks import check_least
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


def check_counts(source: Source, ipc: int) -> None:
  """Refuses a class with fewer examples than are asked for.

  Raises:
    UserError: there is one, or `ipc` is below 1.
  """
  count = np.asarray(source.class_count)
  check_least(1, ipc=ipc)
  if count.min() < ipc:
    raise UserError(
      f'ipc={ipc}: class {int(count.argmin())} has only {int(count.min())} '
      f'training examples; allowed are 1 to {int(count.min())}'
    )
