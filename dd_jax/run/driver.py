"""The outer loop, the only one: compiled chunks, validation, checkpoints.

A chunk of outer steps is one call of one program (`chunk.py`), of about a
second, whose state is donated; in between, signals, checkpoints and validation
have their turn.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.distiller import Distiller
from dd_jax.run.checkpoint import Checkpointer
from dd_jax.run.chunk import ROWS, finite_leaves
from dd_jax.run.input_pipeline import InputPipeline, input_pipeline
from dd_jax.run.interrupt import Signals, Stop, in_thread
from dd_jax.run.loop import Programs, lowered
from dd_jax.run.placement import Placement
from dd_jax.run.result import Diverged, Interrupted, Result, Validation
from dd_jax.run.rows import add, of_metrics, validated
from dd_jax.run.saved import Best, Saved, begin, structure
from dd_jax.run.stages import told
from dd_jax.run.watch import Watch, ridge
from dd_jax.run.workdir import METRICS, VALIDATION
from dd_jax.run.writers import Writer
from dd_jax.types import DistilledData, Key, UserError

__all__ = ['Diverged', 'Interrupted', 'Result', 'Validation', 'distill']

_CALL_SECONDS = 1.0  # how long a call should take: signals wait for its end
_SLOW_SECONDS = 2.0  # a validation longer than this gets a checkpoint before it

Rows: TypeAlias = dict[str, np.ndarray]
"""Metrics of consecutive steps, each `[n]`."""


def distill(
  distiller: Distiller,
  source: Any,
  *,
  seed: int,
  num_steps: int,
  validation: Validation | None = None,
  checkpointer: Checkpointer | None = None,
  writers: Sequence[Writer] = (),
  mesh: jax.sharding.Mesh | None = None,
  programs: Programs | None = None,
) -> Result:
  """Runs a method from `init` to its last outer step.

  Step `t` (from 0) draws with `fold_in(key, t)`, whatever happened before: a
  run that was stopped and continued gives the bits of one that was not.

  Args:
    distiller: the method.
    source: a pytree that `sample` takes from on the device, or a host source
      (one with `plan` and `fetch`), which is fetched in the background.
    seed: of all randomness.
    num_steps: outer steps of the whole run.
    validation: chooses the data returned; without it they are the last.
    checkpointer: where the run is saved, and continued from.
    writers: told what happens.
    mesh: with an axis `data` of type Auto, over which the leading axis of every
      batch is split; None for one device.
    programs: may hold the loop, compiled when it was measured.

  Returns:
    See `Result`.

  Raises:
    UserError: an argument is out of range, the checkpoint is another run's, or
      the disk is full.
    Diverged: the loss is not finite.
    Interrupted: SIGINT or SIGTERM came (only seen in the main thread).
  """
  _check(num_steps, validation)
  with Signals() as signals:
    run = _Run(
      distiller,
      num_steps,
      validation,
      checkpointer,
      writers,
      Placement(mesh),
      signals,
      programs or Programs(),
    )
    try:
      run.start(seed, source)
      run.loop()
      return run.result()
    except Stop as stop:
      run.save()
      raise Interrupted(run.step, stop.signum) from None
    finally:
      run.close()


def _check(num_steps: int, validation: Validation | None) -> None:
  if num_steps < 0:
    raise UserError(f'num_steps={num_steps}: must be at least 0')
  if validation is not None and validation.every < 1:
    raise UserError(f'validation.every={validation.every}: must be at least 1')


class _Run:
  """A run in progress; `distill` is its only user."""

  def __init__(
    self,
    distiller: Distiller,
    num_steps: int,
    validation: Validation | None,
    checkpointer: Checkpointer | None,
    writers: Sequence[Writer],
    placement: Placement,
    signals: Signals,
    programs: Programs,
  ) -> None:
    self.step = 0
    distilled = jax.jit(distiller.distilled)
    self._distiller = distiller._replace(distilled=distilled)
    self._num_steps = num_steps
    self._validation = validation
    self._checkpointer = checkpointer
    self._writers = writers
    self._placement = placement
    self._signals = signals
    self._programs = programs
    self._saved: Saved | None = None
    self._input: InputPipeline | None = None
    self._program: Callable[..., Any] | None = None
    self._length = 1
    self._validation_seconds = float('inf')
    self._metrics: dict[str, float] = {}
    self._seconds = dict.fromkeys(
      ('init', 'compile', 'distil', 'validate', 'checkpoint'), 0.0
    )
    self._notes: dict[str, str] = {}
    self._warnings: dict[str, str] = {}
    self._watch = Watch()
    self._sums = dict.fromkeys((METRICS, VALIDATION), 0)

  def start(self, seed: int, source: Any) -> None:
    """Makes the state, or restores it, and compiles the loop."""
    keys = jax.random.split(jax.random.key(seed), 3)
    self._step_key, self._validation_key = self._placement.put(
      (keys[1], keys[2])
    )
    messages = self._restore(keys[0], source)
    if self._saved is None:
      stage = self._stage('making the first state, its networks with it')
      with self._timed('init'), stage, self._signals.raising():
        self._saved = self._begin(self._distiller, keys[0], source)
    for writer in self._writers:
      writer.begin(self.step)
    for text in messages:
      self._note(text, text)
    self._start_finite = jax.device_get(
      jax.jit(finite_leaves)(self._saved.state)
    )
    if self.step < self._num_steps:
      self._input = input_pipeline(
        self._distiller, source, self._step_key, self.step, self._placement
      )
      self._compile()

  def loop(self) -> None:
    """Runs to the last step."""
    assert self._saved is not None
    while True:
      if self._validation_due():
        self._validate()
      if self.step == self._num_steps:
        break
      self._chunk()
      if self._checkpointer is not None and self._checkpointer.due():
        self.save()
      self._signals.check()
    still = self._watch.whole(self._saved.start.label.shape[-1])
    if still and not self._warnings:
      self._warn('loss', still)
    self.save()

  def result(self) -> Result:
    """What `distill` returns."""
    assert self._saved is not None
    best, validation = self._saved.best, self._validation
    if best is None or validation is None or int(best.step) < 0:
      data, step, score = self._data(), self.step, None
      why = 'no validation' if validation is None else 'no score was finite'
      selection = f'the last state, at step {step:,} ({why})'
    else:
      data, step, score = best.data, int(best.step), float(best.score)
      selection = f'best {validation.name} at step {step:,}'
    return Result(
      data,
      self._saved.start,
      self._saved.state,
      self.step,
      selection,
      step,
      score,
      self._metrics,
      dict(self._seconds),
      tuple(self._notes.values()),
      tuple(self._warnings.values()),
      dict(self._sums),
    )

  def save(self) -> None:
    """Writes a checkpoint, where there is something to save and a place."""
    if self._checkpointer is None or self._saved is None:
      return
    with self._timed('checkpoint'):
      note = {
        'seconds': self._seconds,
        'notes': self._notes,
        'warnings': self._warnings,
        'rows': self._sums,
      }
      self._checkpointer.save(self.step, self._saved, note)

  def close(self) -> None:
    """Lets go of threads and files."""
    if self._input is not None:
      self._input.close()
    for writer in self._writers:
      writer.close()

  def _begin(self, distiller: Distiller, key: Key, source: Any) -> Saved:
    validated = self._validation is not None
    return begin(distiller, validated, self._placement, key, source)

  def _restore(self, key: Key, source: Any) -> tuple[str, ...]:
    """Continues from the newest checkpoint, if any; what to tell the user."""
    checkpointer = self._checkpointer
    if checkpointer is None or not checkpointer.resume:
      return ()
    if checkpointer.latest_step() is None:
      return ()
    with self._timed('init'), self._signals.raising():
      like = self._begin(structure(self._distiller), key, source)
    restored = checkpointer.restore(like)
    if restored is None:
      return ()
    if restored.step > self._num_steps:
      raise UserError(
        f'num_steps={self._num_steps}: the checkpoint to resume '
        f'from is already at step {restored.step}'
      )
    self._saved, self.step = restored.tree, restored.step
    self._seconds |= restored.note['seconds']
    self._notes |= restored.note['notes']
    self._warnings |= restored.note.get('warnings', {})
    self._sums = restored.note.get('rows', {})
    return restored.messages

  def _compile(self) -> None:
    assert self._saved is not None and self._input is not None
    with self._timed('compile'), self._stage('compiling the loop'):
      with self._signals.raising():
        program = lowered(
          self._distiller.update,
          self._input,
          self._placement,
          (self._saved.state, self._step_key),
          self.step,
        )
      compiled = lambda: self._programs.compiled(program)
      self._program = in_thread(compiled, self._signals)
    for text in self._placement.messages:
      self._note(text, text)

  def _chunk(self) -> None:
    assert self._saved and self._input and self._program
    count = min(self._length, self._boundary() - self.step)
    before = time.perf_counter()
    with self._timed('distil'):
      state, buffer, finite = self._program(
        self._saved.state,
        self._step_key,
        self._input.data(self.step),
        np.int32(self.step),
        np.int32(count),
      )
      self._saved = self._saved._replace(state=state)
      buffer, finite = jax.device_get((buffer, finite))
    self._report({k: v[:count] for k, v in buffer.items()}, finite)
    self.step += count
    per_step = (time.perf_counter() - before) / count
    self._length = max(1, min(2 * self._length, int(_CALL_SECONDS / per_step)))

  def _boundary(self) -> int:
    """The step that the next chunk must not go beyond."""
    assert self._input is not None
    ends = [self._num_steps, self.step + ROWS, self._input.end(self.step)]
    if self._validation is not None:
      every = self._validation.every
      ends.append((self.step // every + 1) * every)
    return min(ends)

  def _report(self, rows: Rows, finite: np.ndarray) -> None:
    """Passes finished steps on; raises if they are not fit to go on from."""
    count = len(rows['loss'])
    bad = np.flatnonzero(~np.isfinite(rows['loss']))
    good = int(bad[0]) if bad.size else count
    if good:
      rows = {k: v[:good] for k, v in rows.items()}
      steps = np.arange(self.step + 1, self.step + good + 1)
      for writer in self._writers:
        writer.scalars(steps, rows)
      add(self._sums, METRICS, of_metrics(steps, rows))
      self._metrics = {k: float(v[-1]) for k, v in rows.items()}
      self._look(steps, rows)
    if bad.size:
      self._diverge('the loss is not finite at', self.step + good + 1)
    if np.any(self._start_finite & ~finite):
      self._diverge('the state is no longer finite after', self.step + count)

  def _look(self, steps: np.ndarray, rows: Rows) -> None:
    """Says once what these rows warn of."""
    raised = ridge(steps, rows)
    if raised and 'ridge' not in self._notes:
      self._note('ridge', raised)
    for kind, text in self._watch.rows(steps, rows).items():
      if kind not in self._warnings:
        self._warn(kind, text)

  def _diverge(self, what: str, step: int) -> None:
    self._saved = None  # never to be checkpointed
    checkpointer = self._checkpointer
    last = None if checkpointer is None else checkpointer.latest_step()
    raise Diverged(what, step, last)

  def _note(self, kind: str, text: str) -> None:
    """Tells the user once, and the report."""
    self._notes[kind] = text
    for writer in self._writers:
      writer.message(text)

  def _warn(self, kind: str, text: str) -> None:
    """Tells the user once, and the top of the report."""
    self._warnings[kind] = text
    for writer in self._writers:
      writer.message(f'warning: {text}')

  def _validation_due(self) -> bool:
    assert self._saved is not None
    if self._validation is None or int(self._saved.validated) == self.step:
      return False
    at_end = self.step == self._num_steps
    return at_end or (self.step > 0 and self.step % self._validation.every == 0)

  def _validate(self) -> None:
    assert self._saved and self._validation
    if self._validation_seconds > _SLOW_SECONDS:
      self.save()  # a signal may have to wait: the first one compiles
    before = self._seconds['validate']
    stage = self._stage(f'validating at step {self.step:,}')
    with self._timed('validate'), stage, self._signals.raising():
      data = self._data()
      score = np.float32(self._validation.score(self._validation_key, data))
    self._validation_seconds = self._seconds['validate'] - before
    for writer in self._writers:
      writer.validation(self.step, float(score))
    add(self._sums, VALIDATION, [validated(self.step, float(score))])
    saved = self._saved._replace(validated=jnp.int32(self.step))
    if saved.best is None or score > float(saved.best.score):
      best = Best(data, jnp.float32(score), jnp.int32(self.step))
      saved = saved._replace(best=self._placement.put(best))
    self._saved = saved

  def _data(self) -> DistilledData:
    assert self._saved is not None
    # Copied: what is passed through unchanged would be donated with the state.
    return self._placement.put(self._distiller.distilled(self._saved.state))

  def _stage(self, what: str) -> contextlib.AbstractContextManager[None]:
    return told(self._writers, what)

  @contextlib.contextmanager
  def _timed(self, what: str) -> Iterator[None]:
    before = time.perf_counter()
    try:
      yield
    finally:
      self._seconds[what] += time.perf_counter() - before
