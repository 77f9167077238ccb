"""Where a run reports to: progress on stderr, JSON lines, TensorBoard."""

import importlib
import os
import pathlib
import sys
import time
from collections.abc import Mapping
from typing import IO, Any, Protocol, runtime_checkable

import numpy as np

from dd_jax.files import full_disk, write_atomically
from dd_jax.run import rows
from dd_jax.run.pace import Ahead, Pace, clock
from dd_jax.types import UserError


class Writer(Protocol):
  """Told by the driver what happens, in this order."""

  def progress(self, what: str, done: float, total: int) -> None:
    """Work before or after the run: `done` of `total` steps of `what`."""

  def begin(self, step: int) -> None:
    """The run starts, or goes on, after `step` finished outer steps."""

  def scalars(
    self, steps: np.ndarray, metrics: Mapping[str, np.ndarray]
  ) -> None:
    """Rows of finished steps: `steps [n]` from 1, and each metric `[n]`."""

  def validation(self, step: int, score: float) -> None:
    """The state after `step` steps scored `score`, in [0, 1]."""

  def message(self, text: str) -> None:
    """One line for the user."""

  def close(self) -> None:
    """The run has ended, well or not."""


@runtime_checkable
class Expecting(Protocol):
  """A writer that shows how much is left, and so wants to know of it."""

  def expect(self, num_steps: int, ahead: Ahead) -> None:
    """The run has `num_steps` outer steps, and that besides."""


class JsonlWriter:
  """`metrics.jsonl` and `validation.jsonl`: every step exactly once, in order.

  Rows are `{"step": 1, "loss": 0.5, ...}` and `{"step": 100, "accuracy": 93.1}`
  (percent). A value that is not finite is written as null.
  """

  def __init__(self, workdir: str | pathlib.Path) -> None:
    """Args: workdir: an existing folder."""
    self._metrics = _Lines(pathlib.Path(workdir) / 'metrics.jsonl')
    self._validation = _Lines(pathlib.Path(workdir) / 'validation.jsonl')

  def progress(self, what: str, done: float, total: int) -> None:
    """Not a row."""

  def begin(self, step: int) -> None:
    """Drops rows beyond `step`, torn ones, and those that stand twice."""
    self._metrics.open(step)
    self._validation.open(step)

  def scalars(
    self, steps: np.ndarray, metrics: Mapping[str, np.ndarray]
  ) -> None:
    """See `Writer`; on disk when it returns."""
    self._metrics.append(rows.of_metrics(steps, metrics))

  def validation(self, step: int, score: float) -> None:
    """See `Writer`."""
    self._validation.append([rows.validated(step, score)])

  def message(self, text: str) -> None:
    """Not a row."""

  def close(self) -> None:
    """Closes the files."""
    self._metrics.close()
    self._validation.close()


class _Lines:
  """A file of JSON objects whose `step` rises from line to line."""

  def __init__(self, path: pathlib.Path) -> None:
    self._path = path
    self._last = 0
    self._file: IO[str] | None = None

  def open(self, step: int) -> None:
    self.close()
    kept = self._rows_up_to(step)
    write_atomically(self._path, ''.join(kept.values()).encode())
    with full_disk(self._path):
      self._file = self._path.open('a')
    self._last = max(kept, default=0)

  def append(self, found: list[rows.Row]) -> None:
    assert self._file is not None, 'append before open'
    # A run that stopped while it validated does that again when it resumes.
    fresh = [row for row in found if row['step'] > self._last]
    if not fresh:
      return
    with full_disk(self._path):
      self._file.write(''.join(map(rows.line, fresh)))
      self._file.flush()
      os.fsync(self._file.fileno())  # no checkpoint may outlive its rows
    self._last = fresh[-1]['step']

  def close(self) -> None:
    file, self._file = self._file, None
    if file is not None:
      with full_disk(self._path):
        file.close()

  def _rows_up_to(self, step: int) -> dict[int, str]:
    if not self._path.exists():
      return {}
    found = rows.read(self._path.read_text(errors='replace'))
    return {at: line for at, line in found.items() if at <= step}


class MemoryWriter:
  """Keeps the loss of every step, and validations: 16 bytes of each."""

  def __init__(self) -> None:
    """Nothing yet."""
    self._steps: list[np.ndarray] = []
    self._losses: list[np.ndarray] = []
    self._validation: list[dict[str, Any]] = []

  @property
  def metrics(self) -> list[dict[str, Any]]:
    """Rows of `step` and `loss`."""
    steps = np.concatenate([np.empty(0, int), *self._steps])
    losses = np.concatenate([np.empty(0), *self._losses])
    pairs = zip(steps.tolist(), losses.tolist(), strict=True)
    return [{'step': step, 'loss': loss} for step, loss in pairs]

  @property
  def validated(self) -> list[dict[str, Any]]:
    """Rows of `step` and `accuracy`, in percent."""
    return list(self._validation)

  def progress(self, what: str, done: float, total: int) -> None:
    """Not a row."""

  def begin(self, step: int) -> None:
    """Not a row."""

  def scalars(
    self, steps: np.ndarray, metrics: Mapping[str, np.ndarray]
  ) -> None:
    """See `Writer`."""
    self._steps.append(np.array(steps))
    self._losses.append(np.array(metrics['loss'], np.float64))

  def validation(self, step: int, score: float) -> None:
    """See `Writer`."""
    self._validation.append(rows.validated(step, score))

  def message(self, text: str) -> None:
    """Not a row."""

  def close(self) -> None:
    """Nothing is open."""


class ProgressWriter:
  """Steps, steps/s, loss, validation accuracy and time left, on stderr.

  On a terminal and in a notebook one line is rewritten; elsewhere a line
  appears now and then.
  """

  def __init__(
    self,
    num_steps: int,
    stream: IO[str] | None = None,
    every_seconds: float = 10.0,
  ) -> None:
    """What to show, and where.

    Args:
      num_steps: of the whole run; not positive where it is not known.
      stream: stderr if None.
      every_seconds: between two lines where `stream` is no terminal.
    """
    self._num_steps = num_steps
    self._stream = stream or sys.stderr
    self._tty = _rewrites(self._stream)
    self._every_seconds = every_seconds
    self._accuracy = ''
    self._width = 0
    self._what = ''
    self._ahead = Ahead()
    self._pace = Pace()
    self._shown = time.monotonic()

  def expect(self, num_steps: int, ahead: Ahead) -> None:
    """See `Expecting`; counts from the next `begin` on."""
    self._num_steps, self._ahead = num_steps, ahead

  def progress(self, what: str, done: float, total: int) -> None:
    """Shows how far that work is; its line stays when it is done."""
    now = time.monotonic()
    if self._what != what:
      self._what, self._pace = what, Pace()
    if done:  # what comes before the first is mostly compilation
      self._pace.steps(done, now)
    if not self._quiet(now, done < total):
      bar = self._bar(done, total, '', self._pace.left(total))
      self._show(f'{what} {bar}')
    if done >= total:
      self.close()

  def begin(self, step: int) -> None:
    """Notes when the run began; the clock starts with the first rows.

    What comes before them is mostly compilation, and tells nothing of the time
    left.
    """
    del step
    self._what, self._pace = '', Pace(self._ahead)
    self._shown = time.monotonic()

  def scalars(
    self, steps: np.ndarray, metrics: Mapping[str, np.ndarray]
  ) -> None:
    """Shows the last row."""
    step, now = int(steps[-1]), time.monotonic()
    self._pace.steps(step, now)
    if not self._quiet(now, step < self._num_steps):
      self._show(self._describe(step, float(metrics['loss'][-1])))

  def validation(self, step: int, score: float) -> None:
    """Shown from the next line on."""
    self._pace.validated(step, time.monotonic())
    self._accuracy = f'  validation {100 * score:.1f}%'

  def message(self, text: str) -> None:
    """Prints the line above the bar."""
    self._wipe()
    print(text, file=self._stream, flush=True)

  def close(self) -> None:
    """Leaves the cursor on a fresh line."""
    if self._width:
      print(file=self._stream, flush=True)
      self._width = 0

  def _quiet(self, now: float, goes_on: bool) -> bool:
    """Whether this line is left out, too soon after another."""
    soon = now - self._shown < self._every_seconds
    if soon and goes_on and not self._tty:
      return True
    self._shown = now
    return False

  def _describe(self, step: int, loss: float) -> str:
    rate = self._pace.rate
    what = f'  loss {loss:.4g}{self._accuracy}'
    if self._num_steps < 1:
      return f'{step} steps{f"  {_rate(rate)}" if rate else ""}{what}'
    left = self._pace.left(self._num_steps)
    return self._bar(step, self._num_steps, what, left)

  def _bar(self, step: float, total: int, what: str, left: float | None) -> str:
    rate = self._pace.rate
    pace = f'  {_rate(rate)}' if rate else ''
    told = '' if left is None else f'  {clock(left)} left'
    bar = ''
    if self._tty:
      done = int(20 * step / total)
      bar = '█' * done + '░' * (20 - done) + ' '
    return f'{bar}{_count(step)}/{total}{pace}{what}{told}'

  def _show(self, line: str) -> None:
    if not self._tty:
      print(line, file=self._stream, flush=True)
      return
    print('\r' + line.ljust(self._width), end='', file=self._stream, flush=True)
    self._width = len(line)

  def _wipe(self) -> None:
    if self._width:
      print('\r' + ' ' * self._width, end='\r', file=self._stream)
      self._width = 0


def _rewrites(stream: IO[str]) -> bool:
  """Whether a carriage return goes back there: a notebook's cell says no."""
  notebook = type(stream).__module__.startswith('ipykernel')
  return notebook or stream.isatty()


def _count(done: float) -> str:
  """A whole number, or one with tenths."""
  return str(done) if isinstance(done, int) else f'{round(done, 1):g}'


def _rate(steps_per_second: float) -> str:
  if steps_per_second >= 1:
    return f'{steps_per_second:.4g} steps/s'
  return f'{1 / max(steps_per_second, 1e-9):.3g} s/step'


class TensorBoardWriter:
  """TensorBoard event files, without TensorFlow."""

  def __init__(self, directory: str | pathlib.Path) -> None:
    """Opens nothing yet.

    Args:
      directory: where the event files go.

    Raises:
      UserError: tensorboardX is not installed.
    """
    try:
      self._module = importlib.import_module('tensorboardX')
    except ImportError as error:
      raise UserError(
        'TensorBoard event files need tensorboardX: pip install tensorboardX'
      ) from error
    self._directory = str(directory)
    self._writer: Any = None

  def progress(self, what: str, done: float, total: int) -> None:
    """Not an event."""

  def begin(self, step: int) -> None:
    """Opens an event file; viewers drop earlier events beyond `step`."""
    self.close()
    purge = step + 1 if step else None
    with full_disk(self._directory):
      self._writer = self._module.SummaryWriter(
        self._directory, purge_step=purge
      )

  def scalars(
    self, steps: np.ndarray, metrics: Mapping[str, np.ndarray]
  ) -> None:
    """See `Writer`."""
    with full_disk(self._directory):
      for name, values in metrics.items():
        for step, value in zip(steps.tolist(), values.tolist(), strict=True):
          self._writer.add_scalar(name, value, step)
      self._writer.flush()

  def validation(self, step: int, score: float) -> None:
    """See `Writer`."""
    with full_disk(self._directory):
      self._writer.add_scalar('validation/accuracy', 100 * score, step)

  def message(self, text: str) -> None:
    """Not an event."""

  def close(self) -> None:
    """Closes the event file."""
    if self._writer is not None:
      self._writer.close()
      self._writer = None
