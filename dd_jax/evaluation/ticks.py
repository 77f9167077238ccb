"""How far a learner is in its training, told from within a compiled loop."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Report = Callable[[Any, Any], None]
"""`(steps since it was last told, steps in all)`, called on the host."""

_TICKS = 50  # of a learner, at least where it has so many steps


def tick(report: Report, step: int | jax.Array, total: int | jax.Array) -> None:
  """Reports every fiftieth of the steps; nothing waits for it.

  Args:
    report: takes scalars; may be called from another thread.
    step: the number of the step that is due, from 0; not of one learner among
      several that are batched.
    total: of one learner.
  """
  every = jnp.maximum(1, jnp.asarray(total) // _TICKS)
  jax.lax.cond(
    (step + 1) % every == 0,
    lambda: jax.debug.callback(report, every, total),
    lambda: None,
  )


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
