"""How a run is chosen from, and how it ends: done, interrupted or diverged."""

import signal
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import jax

from dd_jax.types import DistilledData, Key, PyTree, UserError


class Validation(NamedTuple):
  """How the state that is returned is chosen.

  Attributes:
    score: `(key, data) -> accuracy in [0, 1]` on held-out training examples;
      gets the same key each time. Not compiled by the driver.
    every: outer steps between two validations; there is one at the end too.
    name: what the score is, for the report's sentence.
  """

  score: Callable[[Key, DistilledData], jax.Array]
  every: int
  name: str = 'validation accuracy'


class Result(NamedTuple):
  """How a run ended.

  Attributes:
    data: the best by validation, or the last where there is none.
    start: what `init` made, before the first step.
    state: the last.
    step: finished outer steps.
    selection: how `data` was chosen, for the report.
    best_step: the step of `data`.
    best_score: its validation score in [0, 1], or None.
    metrics: of the last step that this call ran; empty if it ran none.
    seconds: `init`, `compile`, `distil`, `validate`, `checkpoint`, summed over
      resumed runs.
    notes: one line each: what a reader of the result must know.
    warnings: one line each: signs that nothing was learned.
    rows: checksums of the rows that were told, by the file that is for them;
      without those that an earlier version's checkpoint does not know.
  """

  data: DistilledData
  start: DistilledData
  state: PyTree
  step: int
  selection: str
  best_step: int
  best_score: float | None
  metrics: dict[str, float]
  seconds: dict[str, float]
  notes: tuple[str, ...]
  warnings: tuple[str, ...] = ()
  rows: Mapping[str, int] = MappingProxyType({})


class Interrupted(Exception):
  """SIGINT or SIGTERM stopped the run; where it can, it left a checkpoint.

  A binary prints it and leaves with `exit_status`, by `os._exit`: a compilation
  may still be running in a thread, and `sys.exit` would wait for it.

  Attributes:
    step: finished outer steps.
    signum: the signal.
  """

  def __init__(self, step: int, signum: int) -> None:
    self.step = step
    self.signum = signum
    name = signal.Signals(signum).name
    super().__init__(f'{name} after step {step}; --resume continues')

  @property
  def exit_status(self) -> int:
    """What a shell expects: 130 for SIGINT, 143 for SIGTERM."""
    return 128 + self.signum


class Diverged(UserError):
  """The loss or the state is no longer finite.

  Attributes:
    step: the first bad step, from 1, or the last of the call that it lay in.
  """

  def __init__(self, what: str, step: int, checkpoint: int | None) -> None:
    self.step = step
    good = (
      'there is no checkpoint'
      if checkpoint is None
      else f'the last good checkpoint is of step {checkpoint}'
    )
    super().__init__(
      f'{what} step {step}, and {good}: lower the learning rate, or the '
      'step size inside, or raise the ridge'
    )
