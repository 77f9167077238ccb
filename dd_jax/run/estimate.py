"""What a run takes, told once from its own first steps."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from dd_jax.run.costs import Costs, Length
from dd_jax.run.pace import Ahead
from dd_jax.run.stages import tell
from dd_jax.run.writers import Expecting, Writer

_ENOUGH_SECONDS = 0.5  # of steps, to know their pace
_SHORT = 20.0  # seconds left, up to which a bar says enough


class Estimate:
  """A writer that tells the others, after two steps, what all of it takes.

  Of a run that is over in a moment it says nothing: learners would have to be
  measured first.
  """

  def __init__(
    self,
    costs: Callable[[float], Costs],
    length: Length,
    writers: Sequence[Writer],
  ) -> None:
    """What to measure, and whom to tell.

    Args:
      costs: `(seconds of an outer step) -> Costs`; may take a while.
      length: of the run.
      writers: told the line, and what is ahead.
    """
    self._costs = costs
    self._length = length
    self._writers = writers
    self._first: tuple[int, float] | None = None
    self._done = False

  def scalars(
    self, steps: np.ndarray, metrics: Mapping[str, np.ndarray]
  ) -> None:
    """Counts from the first rows on; see `Writer`."""
    del metrics
    step, now = int(steps[-1]), time.monotonic()
    if self._done:
      return
    if self._first is None:
      self._first = step, now
      return
    before, since = self._first
    if step - before < 2 or now - since < _ENOUGH_SECONDS:
      return
    self._done = True
    seconds = (now - since) / (step - before)
    if seconds * (self._length.steps - step) > _SHORT:
      self._tell(step, self._costs(seconds))

  def _tell(self, step: int, costs: Costs) -> None:
    tell(self._writers, [costs.describe(*self._length)])
    validation = costs.validation or math.inf
    ahead = Ahead(self._length.every, validation, costs.scoring)
    for writer in self._writers:
      if isinstance(writer, Expecting):
        writer.expect(self._length.steps, ahead)
        writer.begin(step)  # measuring is no pace of the run

  def progress(self, what: str, done: float, total: int) -> None:
    """Nothing to estimate from."""

  def begin(self, step: int) -> None:
    """Nothing to estimate from."""

  def validation(self, step: int, score: float) -> None:
    """A pause: the clock starts anew."""
    self._first = None

  def message(self, text: str) -> None:
    """Nothing to estimate from."""

  def close(self) -> None:
    """Nothing is open."""
