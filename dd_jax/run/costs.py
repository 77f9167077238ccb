"""What the parts of a run cost, and how long a run they leave room for."""

import math
from typing import NamedTuple

from dd_jax.run.pace import clock

VALIDATIONS = 10
"""How many a run whose length is found has, where they are cheap enough."""
_VALIDATING = 0.2  # of the time, at most


class Learner(NamedTuple):
  """One learner of a protocol, or one score of an exact one.

  Attributes:
    fixed: seconds, whatever its steps: mostly those of the test.
    step: seconds of a step of its training.
    steps: those that it takes; 0 where none can be chosen.
  """

  fixed: float
  step: float
  steps: int

  @property
  def seconds(self) -> float:
    """Of all of it."""
    return self.fixed + self.steps * self.step


class Costs(NamedTuple):
  """What a run takes, in seconds unless said otherwise.

  Attributes:
    spent: so far: loading, measuring, what is done of the run.
    experts: training those that are missing.
    start: making the first state, and compiling.
    step: one outer step.
    validation: one.
    scoring: all of it, on the test set.
    memory: bytes that the compiled loop holds.
  """

  spent: float
  experts: float
  start: float
  step: float
  validation: float
  scoring: float
  memory: int

  def validating(self, steps: int, every: int) -> float:
    """Seconds of all validations of a run."""
    count = 0 if not every else max(1, math.ceil(steps / every))
    return count * self.validation

  def total(self, steps: int, every: int) -> float:
    """Seconds of the whole run."""
    before = self.spent + self.experts + self.start
    after = self.validating(steps, every) + self.scoring
    return before + steps * self.step + after

  def room(self, seconds: float) -> float:
    """What is left of `seconds` for outer steps and validations."""
    rest = self.spent + self.experts + self.start + self.scoring
    return seconds - rest

  def describe(self, steps: int, every: int) -> str:
    """One line: the whole, its parts, and the memory."""
    parts = {
      'so far': self.spent,
      'experts': self.experts,
      'start and compiling': self.start,
      f'{steps:,} steps of {self.step:.3g} s': steps * self.step,
      'validating': self.validating(steps, every),
      'scoring': self.scoring,
    }
    told = [f'{name} {clock(s)}' for name, s in parts.items() if s]
    whole = clock(self.total(steps, every))
    memory = f'{self.memory / 2**20:,.0f} MiB'
    return f'estimate: {whole} ({", ".join(told)}); the loop holds {memory}'


class Length(NamedTuple):
  """How long a run is.

  Attributes:
    steps: outer ones.
    every: of which one is validated after; 0 where none is.
  """

  steps: int
  every: int


def length(costs: Costs, seconds: float, most: int, least: int) -> Length:
  """The longest run that takes no longer than `seconds`, in rounded steps.

  Args:
    costs: of its parts.
    seconds: for the whole.
    most: steps that are never exceeded.
    least: steps that it has even where they take longer.
  """
  room = max(0.0, costs.room(seconds))
  count = _validations(costs.validation, room)
  left = room - count * costs.validation
  steps = _rounded(left / max(costs.step, 1e-9))
  steps = min(most, max(least, steps))
  return Length(steps, math.ceil(steps / count) if count else 0)


def _validations(seconds: float, room: float) -> int:
  """As many as a fifth of the room is enough for."""
  most = _VALIDATING * room / max(seconds, 1e-9)
  return int(min(VALIDATIONS, most))


def _rounded(steps: float) -> int:
  """Down to two digits."""
  if steps < 100:
    return int(steps)
  unit = 10 ** (int(math.log10(steps)) - 1)
  return int(steps // unit * unit)
