"""How fast a run goes, and how long it has still to go."""

import math
from typing import NamedTuple


class Ahead(NamedTuple):
  """What a run has ahead of it besides outer steps.

  Attributes:
    every: outer steps between two validations; 0 for none, or not known.
    validation: seconds of one, where that was measured before the run.
    scoring: seconds of what comes after the last, likewise.
    scored: else how many validations that is.
  """

  every: int = 0
  validation: float = math.inf
  scoring: float = 0.0
  scored: float = 0.0


class Pace:
  """Steps and validations by the clock; the caller says what time it is.

  Attributes:
    step: the last that was seen.
  """

  def __init__(self, ahead: Ahead | None = None) -> None:
    """Args: ahead: what is known before the first step."""
    ahead = ahead or Ahead()
    self.step: float = 0
    self._ahead = ahead
    self._first: tuple[float, float] | None = None
    self._now = 0.0
    self._paused = 0.0
    self._validation = ahead.validation  # the shortest: the first compiles
    self._validated, self._every = 0, ahead.every

  def steps(self, step: float, now: float) -> None:
    """`step` is done. The clock starts here: what came before was compiling.

    Args:
      step: from 1.
      now: seconds, on any clock that does not go back.
    """
    if self._first is None:
      self._first = step, now
    self.step, self._now = step, now

  def validated(self, step: int, now: float) -> None:
    """The state after `step` is validated; see `steps`."""
    if self._first is None:
      return
    took = now - self._now
    self._paused, self._now = self._paused + took, now
    self._validation = min(self._validation, took)
    every = self._ahead.every or max(1, step - self._validated)
    self._every, self._validated = every, step

  @property
  def rate(self) -> float | None:
    """Steps a second, validations aside; None where it is not known yet."""
    if self._first is None or self.step == self._first[0]:
      return None
    spent = self._now - self._first[1] - self._paused
    return (self.step - self._first[0]) / max(spent, 1e-9)

  def left(self, total: int) -> float | None:
    """Seconds to the end: of step `total`, its validation, and the scoring.

    What no validation has shown yet, and nothing said before, is left out.
    """
    if self.rate is None or self._first is None:
      return None
    seconds = (total - self.step) / self.rate + self._ahead.scoring
    if not self._every or math.isinf(self._validation):
      return seconds
    done = max(self._validated, self._first[0] - 1)  # of a resumed run too
    due = math.ceil(total / self._every) - done // self._every
    scored = 0.0 if self._ahead.scoring else self._ahead.scored
    return seconds + (max(0, due) + scored) * self._validation


def clock(seconds: float) -> str:
  """`1:05`, `2:03:04`, or `3 d 4 h`."""
  minutes, rest = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  if hours >= 24:
    days, hours = divmod(round(seconds / 3600), 24)
    return f'{days:,} d {hours} h'
  return (
    f'{hours}:{minutes:02d}:{rest:02d}' if hours else f'{minutes}:{rest:02d}'
  )
