"""The entire run between two steps, as a checkpoint holds it."""

from typing import Any, NamedTuple

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


def structure(distiller: Distiller) -> Distiller:
  """One whose `begin` makes what a checkpoint is read into, cheaply."""
  return distiller._replace(init=distiller.structure or distiller.init)
