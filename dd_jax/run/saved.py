"""The entire run between two steps, as a checkpoint holds it."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from dd_jax.distiller import Distiller
from dd_jax.run.placement import Placement
from dd_jax.types import DistilledData, Key, PyTree


class Best(NamedTuple):
  """The best so far; `step` is -1 where there is none yet."""

  data: DistilledData
  score: jax.Array
  step: jax.Array


class Saved(NamedTuple):
  """A run.

  Attributes:
    state: of the method.
    validated: the last step that was validated, -1 for none.
    best: None where nothing is validated.
    start: the set before the first step.
  """

  state: PyTree
  validated: jax.Array
  best: Best | None
  start: DistilledData


Begin: TypeAlias = Callable[[Key, Any], Saved]
"""`(key, source) -> Saved`."""


def begin(
  distiller: Distiller,
  validated: bool,
  placement: Placement,
  key: Key,
  source: Any,
) -> Saved:
  """A run before its first step; every array has a buffer of its own."""
  state = placement.put(distiller.init(key, source))
  start = distiller.distilled(state)
  none = Best(start, jnp.float32(-1), jnp.int32(-1))
  best = placement.put(none) if validated else None
  return Saved(state, jnp.int32(-1), best, placement.put(start))


def structure(first: Begin, key: Key, source: Any) -> PyTree:
  """What a checkpoint is read into: the tree that `first` makes.

  Traced alone where it can be: `init` may train a pool of networks, or a
  teacher, which the checkpoint holds.
  """
  try:
    return jax.eval_shape(lambda: first(key, source))
  except jax.errors.JAXTypeError:  # it looks at numbers
    return first(key, source)
