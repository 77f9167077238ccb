"""One measurement, and what it is made under."""

import pathlib
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from experiments.benchmarks.measure import Row
from experiments.benchmarks.sizes import CHECKED, FREE, TINY, Caps


class Asked(NamedTuple):
  """What a stage is made under.

  Attributes:
    rehearse: sizes are tiny and no figure means much.
    data: of whole runs: a set by name or a file.
    output: the folder of everything written.
    left: `() -> seconds` until the time is over.
  """

  rehearse: bool
  data: str
  output: pathlib.Path
  left: Callable[[], float]

  @property
  def checked(self) -> Caps:
    """Sizes of what a CPU computes too."""
    return TINY if self.rehearse else CHECKED

  @property
  def caps(self) -> Caps:
    """Sizes of what is timed or scored."""
    return TINY if self.rehearse else FREE


class Point(NamedTuple):
  """One measurement.

  Attributes:
    name: within its stage.
    measure: makes it.
    seconds: with fewer left it is not begun.
  """

  name: str
  measure: Callable[[], Row]
  seconds: float = 0.0


Stage: TypeAlias = Callable[[Asked], Iterable[Point]]
"""Points, those first that are worth most."""
