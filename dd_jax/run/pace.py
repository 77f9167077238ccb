"""How fast a run goes, and how long it has still to go."""

import math


class Pace:
  """Steps and validations by the clock; the caller says what time it is.

  Attributes:
    step: the last that was seen.
  """

  def __init__(self) -> None:
    self.step = 0
    self._first: tuple[int, float] | None = None
    self._now = 0.0
    self._paused = 0.0
    self._validation = math.inf  # the shortest: the first one compiles
    self._validated = self._every = 0

  def steps(self, step: int, now: float) -> None:
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
    self._paused += took
    self._validation = min(self._validation, took)
    self._every, self._validated = max(1, step - self._validated), step

  @property
  def rate(self) -> float | None:
    """Steps a second, validations aside; None where it is not known yet."""
    if self._first is None or self.step == self._first[0]:
      return None
    spent = self._now - self._first[1] - self._paused
    return (self.step - self._first[0]) / max(spent, 1e-9)

  def left(self, total: int) -> float | None:
    """Seconds to the end of step `total`, its validation included."""
    if self.rate is None:
      return None
    seconds = (total - self.step) / self.rate
    if not self._every:
      return seconds
    due = math.ceil(total / self._every) - self._validated // self._every
    return seconds + max(0, due) * self._validation


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
