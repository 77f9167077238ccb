"""How far a learner is in its training, told from within a compiled loop."""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from dd_jax.types import PyTree

Step: TypeAlias = int | jax.Array
"""The number of a step."""
Report = Callable[[Any, Any], None]
"""`(steps since it was last told, steps in all)`, called on the host."""

Advance = Callable[[PyTree, Step, Step], PyTree]
"""`(model, first, last) -> model`: takes the steps from `first` to `last`."""

_TICKS = 10  # of a learner: each costs about two milliseconds


def told(advance: Advance, report: Report, total: Step) -> Advance:
  """`advance`, which reports after every tenth of the steps.

  Nothing waits for it, and no step costs more: only parts of many do.

  Args:
    advance: whose steps are not batched, only the models.
    report: takes scalars; may be called from another thread.
    total: steps of one learner.
  """
  every = jnp.maximum(1, jnp.asarray(total) // _TICKS)

  def run(model: PyTree, first: Step, last: Step) -> PyTree:
    def part(i: jax.Array, model: PyTree) -> PyTree:
      start = first + i * every
      end = jnp.minimum(start + every, last)
      model = advance(model, start, end)
      jax.debug.callback(report, end - start, total)
      return model

    return jax.lax.fori_loop(0, -(-(last - first) // every), part, model)

  return run


class Gauge:
  """The share that learners in training have done of their steps.

  It is a `Report`, silent but between `begin` and `end`: the same learners
  validate a run.
  """

  def __init__(self) -> None:
    """Silent."""
    self._tell: Callable[[float], None] | None = None
    self._learners, self._done = 1, 0.0

  def __call__(self, steps: Any, total: Any) -> None:
    """See `Report`."""
    tell = self._tell
    if tell is None:
      return
    self._done += float(steps) / max(1.0, float(total))
    tell(min(1.0, self._done / self._learners))

  def begin(self, learners: int, tell: Callable[[float], None]) -> None:
    """From now on `tell` is given shares of that many learners, up to 1."""
    self._learners, self._done, self._tell = learners, 0.0, tell

  def end(self) -> None:
    """Nothing is told any more."""
    self._tell = None
