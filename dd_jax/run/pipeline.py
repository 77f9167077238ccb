"""One run from data to report: the only place where all the parts meet."""

import contextlib
import functools
import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from dd_jax import artifact, distiller, report
from dd_jax.artifact import Artifact
from dd_jax.cache import Cache
from dd_jax.data import preprocess
from dd_jax.data.dataset import Dataset, described
from dd_jax.data.prepare import Prepared, prepare
from dd_jax.data.preprocess import Preprocessing
from dd_jax.data.source import Source
from dd_jax.platform import here
from dd_jax.run import (
  driver,
  experts,
  invariances,
  limits,
  loading,
  memory,
  parts,
  recipe,
  registries,
)
from dd_jax.run.checkpoint import Checkpointer
from dd_jax.run.interrupt import Signals, Stop, interruptible
from dd_jax.run.lengthen import as_long_as, check_schedules, lengthens
from dd_jax.run.machine import versions
from dd_jax.run.recipe import Config
from dd_jax.run.record import record, score
from dd_jax.run.resolved import resolved
from dd_jax.run.result import Interrupted, Result
from dd_jax.run.scoring import Scorer
from dd_jax.run.workdir import ARTIFACT, CHECKPOINTS, RESULT, Workdir
from dd_jax.run.writers import Writer
from dd_jax.types import DistilledData, UserError


class Outcome(NamedTuple):
  """What a run made.

  Attributes:
    artifact: the distilled set.
    result: what `result.json` holds.
  """

  artifact: Artifact
  result: dict[str, Any]


def run(
  config: Config,
  *,
  dataset: Dataset | None = None,
  workdir: Workdir | None = None,
  writers: Sequence[Writer] = (),
  command: str = '',
  mesh: jax.sharding.Mesh | None = None,
) -> Outcome:
  """Distils, scores and reports.

  Args:
    config: as `recipe.default` makes it.
    dataset: the data; by default `config['dataset']` is loaded.
    workdir: where everything is written, and continued from; without it nothing
      is written.
    writers: told what happens while distilling.
    command: reproduces the run; for the report.
    mesh: over whose `data` axis batches and learners are split; see
      `driver.distill`.

  Raises:
    UserError: what the user gave is wrong, or the loss diverged.
    Interrupted: SIGINT or SIGTERM came.
  """
  limits.check(config)
  kept = functools.partial(_kept, workdir)
  with memory.told(config, kept):
    return _run(config, dataset, workdir, writers, command, mesh)


def _run(
  config: Config,
  dataset: Dataset | None,
  workdir: Workdir | None,
  writers: Sequence[Writer],
  command: str,
  mesh: jax.sharding.Mesh | None,
) -> Outcome:
  clock = Stopwatch()
  dataset, cache = dataset or loading.load_dataset(config), Cache()
  _tell(writers, [described(dataset), *dataset.provenance['notes']])
  tell = lambda line: _tell(writers, [line])
  config, decided = invariances.decide(config, dataset, cache, tell)
  start, fitted = parts.started_from(config), parts.preprocessing(config)
  identity = _identity(config, dataset, start, fitted)
  finished = _finished(workdir, identity) if workdir else None
  if workdir and finished:
    return Outcome(artifact.load(workdir.path / ARTIFACT), finished)
  tell(f'preprocessing: {config["preprocessing"]}')  # may take minutes
  prepared = prepare(dataset, fitted, cache=cache)
  first = start.data if start else None
  report_score = functools.partial(_progress, writers, 'scoring')
  scorer = Scorer(config, prepared, cache, mesh, first, here(), report_score)
  clock.lap('load')
  method = _method(config, prepared, scorer)
  checkpointer = None
  if workdir:
    workdir.claim(identity)
    checkpointer = Checkpointer(
      workdir.path / CHECKPOINTS, identity, free=('config.num_steps',)
    )
  notes = decided + parts.notes(config, scorer.setting)
  notes += loading.notes(config, prepared)
  _tell(writers, notes)
  clock.lap()
  source, taught = _source(config, prepared, cache, writers, mesh)
  clock.lap('experts' if taught else None)
  with _released(workdir):
    result = driver.distill(
      method,
      source,
      seed=config['seed'],
      num_steps=num_steps(config, prepared),
      validation=scorer.validation(),
      checkpointer=checkpointer,
      writers=writers,
      mesh=mesh,
    )
  made = _artifact(config, prepared, result)
  if workdir:
    artifact.save(workdir.path / ARTIFACT, made)
  clock.lap()
  found = _scored(scorer, made.data, result.step, writers)
  clock.lap('evaluate')
  told = record(made, result, found, command)
  told['notes'] += notes
  told['resolved'] = resolved(config, prepared, result.step)
  if taught is not None:
    told['experts'] = taught
  told['seconds'] = _seconds(clock.seconds, result.seconds)
  _tell(writers, [f'warning: {warning}' for warning in found['warnings']])
  if workdir:
    _write(workdir, made, told)
  return Outcome(made, told)


class Stopwatch:
  """Seconds of what is done one after the other.

  Attributes:
    seconds: by name.
  """

  def __init__(self) -> None:
    self.seconds: dict[str, float] = {}
    self._last = time.perf_counter()

  def lap(self, name: str | None = None) -> None:
    """Ends what goes on, kept under its name if it has one."""
    now = time.perf_counter()
    if name is not None:
      self.seconds[name] = now - self._last
    self._last = now


def _seconds(
  own: dict[str, float], outer: dict[str, float]
) -> dict[str, float]:
  """Those of all phases, in their order."""
  before = {k: v for k, v in own.items() if k != 'evaluate'}
  spent = {**before, **outer, 'evaluate': own['evaluate']}
  return {k: round(v, 3) for k, v in spent.items()}


def _identity(
  config: Config,
  dataset: Dataset,
  start: Artifact | None,
  fitted: str | Preprocessing,
) -> dict[str, Any]:
  """All that makes two runs the same run, as nested JSON."""
  found = {'config': loading.portable(config), 'data': dataset.provenance}
  # The name of a file, distilled.npz as a rule, would not tell.
  if start:
    found['start'] = {'sha256': artifact.digest(start)}
  if isinstance(fitted, Preprocessing):
    found['preprocessing'] = {'sha256': preprocess.digest(fitted)}
  return found


@contextlib.contextmanager
def _released(workdir: Workdir | None) -> Iterator[None]:
  """Gives the folder back where a run is refused before its first step."""
  try:
    yield
  except Exception as error:
    refused = isinstance(error, UserError) or memory.exhausted(error)
    if workdir and refused:
      workdir.release()
    raise


def _finished(
  workdir: Workdir, identity: dict[str, Any]
) -> dict[str, Any] | None:
  """The result of a run that is done; None where steps are left, or added.

  Raises:
    UserError: the folder is another run's, or the run cannot be lengthened.
  """
  held = workdir.held()
  if held is None or not lengthens(held, identity):
    return workdir.finished(identity)
  workdir.check(as_long_as(held, identity))
  check_schedules(identity['config'], held['config']['num_steps'])
  return None


def _kept(workdir: Workdir | None) -> str:
  """What a run leaves that could not go on."""
  steps = workdir.checkpoints() if workdir else []
  return f'; the checkpoint of step {max(steps)} is kept' if steps else ''


def _source(
  config: Config,
  prepared: Prepared,
  cache: Cache,
  writers: Sequence[Writer],
  mesh: jax.sharding.Mesh | None,
) -> tuple[Source, dict[str, Any] | None]:
  """What the method reads; trains its experts where it wants any."""
  try:
    with Signals() as signals, signals.raising():
      return experts.source(config, prepared, cache, writers, mesh)
  except Stop as stop:
    raise Interrupted(0, stop.signum) from None


def _method(
  config: Config, prepared: Prepared, scorer: Scorer
) -> distiller.Distiller:
  """Builds the method, and all that can be refused before hours of work."""
  if scorer.validates:
    way = 'or do not validate, --config.validate_every=0'
    loading.check_held_out(prepared, way)
  scorer.check()
  experts.check(config, prepared)
  steps = num_steps(config, prepared)
  return scorer.build({**config, 'num_steps': steps})


def _tell(writers: Sequence[Writer], lines: Sequence[str]) -> None:
  for writer, line in itertools.product(writers, lines):
    writer.message(line)


def _progress(
  writers: Sequence[Writer], what: str, done: int, total: int
) -> None:
  for writer in writers:
    writer.progress(what, done, total)


def _scored(
  scorer: Scorer, data: DistilledData, step: int, writers: Sequence[Writer]
) -> dict[str, Any]:
  """`record.score`; a signal does not have to wait for its end."""
  try:
    _tell(writers, ['scoring on the test set'])
    return interruptible(lambda: score(scorer, data))
  except Stop as stop:
    raise Interrupted(step, stop.signum) from None


def num_steps(config: Config, prepared: Prepared) -> int:
  """Outer steps; -1 in the configuration is one sweep of the training data."""
  if config['num_steps'] >= 0:
    return config['num_steps']
  if 'batch_size' not in config['method']:
    raise UserError(
      f'--num_steps=-1: {config["method"]["name"]} makes no sweep of the '
      'training data; allowed are 0 and more'
    )
  return -(-len(prepared.train) // config['method']['batch_size'])


def _artifact(config: Config, prepared: Prepared, result: Result) -> Artifact:
  dataset = prepared.dataset
  data = jax.tree.map(np.asarray, result.data)
  metadata = {
    'method': config['method']['name'],
    'dataset': dataset.provenance,
    'class_names': list(dataset.class_names),
    'label_encoding': config['label_encoding'],
    'preprocessing': {
      'name': prepared.preprocessing.name,
      'unit_norm': prepared.preprocessing.unit_norm,
    },
    'ipc': config['ipc'],
    'budget': _budget(config, result),
    'config': loading.portable(config),
    'seed': config['seed'],
    'versions': versions(),
  }
  if data.factors is not None:
    metadata['decoder'] = recipe.decoder(config)
  outside = registries.added(registries.named(config))
  if outside:
    metadata['parts'] = outside
  start = np.asarray(prepared.preprocessing.display(result.start.image))
  return Artifact(data, prepared.preprocessing, start, metadata)


def _budget(config: Config, result: Result) -> dict[str, Any]:
  """What the set takes, and what a learner sees of it."""
  cost = distiller.budget(result.state, result.data)
  classes = result.data.label.shape[1]
  plain = result.data.image[0].size + classes * recipe.learns_labels(config)
  return {
    'stored_floats': cost.floats,
    'stored_bytes': cost.bytes,
    'stored_images_per_class': round(cost.bytes / (4 * plain * classes), 3),
    'decoded_images': len(result.data.image),
  }


def _write(workdir: Workdir, made: Artifact, record: dict[str, Any]) -> None:
  """The report first: `result.json` says that the run is finished."""
  report.write_report(
    workdir.path,
    record,
    made.image_uint8,
    made.start_image,
    np.asarray(made.data.label),
    made.class_names,
    workdir.rows('metrics.jsonl'),
    workdir.rows('validation.jsonl'),
  )
  workdir.write_json(RESULT, record)
