"""How long the phases of a run took."""

import time
from collections.abc import Mapping


class Stopwatch:
  """Seconds of what is done one after the other.

  Attributes:
    seconds: by name.
  """

  def __init__(self) -> None:
    self.seconds: dict[str, float] = {}
    self._first = self._last = time.perf_counter()

  def total(self) -> float:
    """Since it was made, named or not."""
    return time.perf_counter() - self._first

  def lap(self, name: str | None = None) -> None:
    """Ends what goes on, kept under its name if it has one."""
    now = time.perf_counter()
    if name is not None:
      self.seconds[name] = now - self._last
    self._last = now


def all_seconds(
  own: Mapping[str, float], outer: Mapping[str, float]
) -> dict[str, float]:
  """Those of all phases, in their order, to the millisecond.

  Args:
    own: of the pipeline; `evaluate` is the last.
    outer: of the outer loop.
  """
  before = {k: v for k, v in own.items() if k != 'evaluate'}
  spent = {**before, **outer, 'evaluate': own['evaluate']}
  return {k: round(v, 3) for k, v in spent.items()}
