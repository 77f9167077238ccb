"""A few examples of a source, the same number of every class."""

import numpy as np

from dd_jax.data.source import HostSource, ResidentSource, Source, resident


def head(source: Source, count: int) -> Source:
  """The first `count` examples, taken from the classes in turn.

  All of `source` where it has no more, or where `count` is 0.
  """
  if count == 0 or count >= len(source):
    return source
  index = _in_turn(source)[:count]
  if isinstance(source, ResidentSource):
    return resident(
      np.asarray(source.image)[index],
      np.asarray(source.label)[index],
      source.num_classes,
      source.preprocessing,
    )
  assert isinstance(source, HostSource)
  return HostSource(
    source.image[index],
    source.label[index],
    source.preprocessing,
    source.num_classes,
  )


def _in_turn(source: Source) -> np.ndarray:
  """All indices: the first of every class, the second of every class, ..."""
  table, count = np.asarray(source.class_table), np.asarray(source.class_count)
  valid = np.arange(table.shape[1])[None] < count[:, None]
  return table.T[valid.T]
