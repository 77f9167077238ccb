"""Sizes of a configuration, held below others: for rehearsals and checks."""

import types
from collections.abc import Mapping
from typing import Any

Caps = Mapping[str, int]
"""The most that a size may be, by the last part of its field's name."""

FREE: Caps = types.MappingProxyType({})
"""No size is held below any."""

CHECKED: Caps = {
  'batch_size': 128,
  'width': 64,
  'networks': 2,
  'pool_size': 3,
  'max_age': 4,
  'queue_size': 4,
  'queue_interval': 2,
  'train_steps': 2,
  'train_size': 128,
  'train_batch_size': 64,
  'inner_batch_size': 64,
  'inner_steps': 4,
  'window': 2,
  'gap': 2,
  'frequencies': 256,
  'readings': 2,
  'reading_size': 32,
  'outer_cap': 2,
  'inner_cap': 2,
  'outer_steps': 2,
  'inner_epochs': 2,
  'warm_up': 2,
  'inner_warm_up': 2,
}
"""Sizes at which every method's update takes a CPU seconds."""

TINY: Caps = {
  **CHECKED,
  'batch_size': 16,
  'width': 4,
  'train_size': 16,
  'train_batch_size': 16,
  'inner_batch_size': 16,
  'frequencies': 16,
  'reading_size': 16,
  'iterations': 3,
  # Of learners, data and repeats, which are no fields of a method.
  'steps': 4,
  'learners': 2,
  'examples': 100,
  'experts': 2,
  'image_side': 16,
  'matrix_side': 256,
}
"""Sizes at which everything is over in moments, and no figure means much."""


def capped(config: dict[str, Any], caps: Caps) -> dict[str, Any]:
  """A copy whose sizes are at most `caps`; sections are looked into.

  Sizes are whole numbers: a kernel's `width`, a scale, is left alone.
  """

  def most(name: str, value: Any) -> Any:
    if isinstance(value, dict):
      return capped(value, caps)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return min(value, caps[name]) if whole and name in caps else value

  return {name: most(name, value) for name, value in config.items()}
