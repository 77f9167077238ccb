"""One run from data to report: the only place where all the parts meet."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from dd_jax import artifact, distiller, report
from dd_jax.artifact import Artifact
from dd_jax.cache import Cache
from dd_jax.data.dataset import Dataset
from dd_jax.data.prepare import Prepared
from dd_jax.data.source import Source
from dd_jax.run import (
  driver,
  experts,
  limits,
  loading,
  memory,
  parts,
  plan,
)
from dd_jax.run.checkpoint import Checkpointer
from dd_jax.run.costs import Length
from dd_jax.run.estimate import Estimate
from dd_jax.run.inputs import (
  Given,
  Loaded,
  check_suits,
  decided_of,
  identity_of,
  loaded_of,
  prepared_of,
  scorer_of,
)
from dd_jax.run.interrupt import Signals, Stop, interruptible
from dd_jax.run.lengthen import as_long_as, check_schedules, lengthens
from dd_jax.run.loop import Programs
from dd_jax.run.outcome import Outcome, Rows
from dd_jax.run.packaged import packaged
from dd_jax.run.plan import Plan
from dd_jax.run.recipe import Config
from dd_jax.run.record import record, score
from dd_jax.run.resolved import resolved
from dd_jax.run.result import Interrupted, Result
from dd_jax.run.scoring import Scorer
from dd_jax.run.stages import tell
from dd_jax.run.stopwatch import Stopwatch, all_seconds
from dd_jax.run.workdir import (
  ARTIFACT,
  CHECKPOINTS,
  METRICS,
  PLAN,
  RESULT,
  VALIDATION,
  Workdir,
)
from dd_jax.run.writers import Expecting, MemoryWriter, Writer
from dd_jax.types import DistilledData, UserError


def run(
  config: Config,
  *,
  dataset: Dataset | None = None,
  workdir: Workdir | None = None,
  writers: Sequence[Writer] = (),
  command: Callable[[Mapping[str, str]], str] = lambda changes: '',
  mesh: jax.sharding.Mesh | None = None,
  estimate: bool = False,
) -> Outcome:
  """Distils, scores and reports.

  Args:
    config: as `recipe.default` makes it.
    dataset: the data; by default `config['dataset']` is loaded.
    workdir: where everything is written, and continued from; without it nothing
      is written.
    writers: told what happens while distilling.
    command: reproduces the run, with the fields that were found for it, by
      dotted name; for the report.
    mesh: over whose `data` axis batches and learners are split; see
      `driver.distill`.
    estimate: says first what the run will take, as where `minutes` is asked
      for.

  Raises:
    UserError: what the user gave is wrong, or the loss diverged.
    Interrupted: SIGINT or SIGTERM came.
  """
  limits.check(config)
  kept = functools.partial(_kept, workdir)
  folder = contextlib.closing(workdir) if workdir else contextlib.nullcontext()
  with folder, memory.told(config, kept):
    given = Given(config, workdir, writers, command, mesh, estimate)
    return _run(given, dataset)


def estimate(
  config: Config,
  *,
  writers: Sequence[Writer] = (),
  mesh: jax.sharding.Mesh | None = None,
) -> Plan:
  """What a run would be, and take; it is not run, and nothing is written.

  Args:
    config: see `run`.
    writers: see `run`.
    mesh: see `run`.

  Raises:
    UserError: see `run`.
    Interrupted: see `run`.
  """
  limits.check(config)
  with memory.told(config):
    given = Given(config, None, writers, lambda changes: '', mesh, True)
    clock = Stopwatch()
    loaded, cache = loaded_of(given, None), Cache()
    given, _ = decided_of(given, loaded)
    check_suits(given, loaded)
    prepared = prepared_of(given, loaded, cache)
    scorer = scorer_of(given, loaded, prepared, cache)
    _method(given.config, prepared, scorer)
    made = _planned(given, loaded, prepared, clock, Programs())
    assert made is not None  # asked for
    return made


def _run(given: Given, dataset: Dataset | None) -> Outcome:
  clock, kept = Stopwatch(), MemoryWriter()
  if given.workdir is None:
    given = given._replace(writers=[*given.writers, kept])
  loaded, cache = loaded_of(given, dataset), Cache()
  given, decided = decided_of(given, loaded)
  finished = _finished(given.workdir, identity_of(given.config, loaded))
  if finished:
    return finished
  check_suits(given, loaded)
  prepared = prepared_of(given, loaded, cache)
  scorer = scorer_of(given, loaded, prepared, cache)
  method = _method(given.config, prepared, scorer)
  clock.lap('load')
  programs = Programs()
  chosen = _planned(given, loaded, prepared, clock, programs)
  if chosen is not None:
    tell(given.writers, chosen.lines)
    held = chosen.record(given.config['minutes'])
    given = given._replace(config=chosen.config, plan=held)
    scorer = scorer_of(given, loaded, prepared, cache)
    method = _method(given.config, prepared, scorer)
    clock.lap('measure')
  checkpointer = _claimed(given, identity_of(given.config, loaded))
  notes = decided + parts.notes(given.config, scorer.setting)
  notes += loading.notes(given.config, prepared)
  tell(given.writers, notes)
  clock.lap()
  source, taught = _source(given, prepared, cache)
  clock.lap('experts' if taught else None)
  bench = _bench(given, loaded, prepared, programs)
  watched = given._replace(writers=_watching(given, bench, clock))
  result = _distilled(watched, scorer, method, source, checkpointer, programs)
  made = packaged(given.config, prepared, result)
  if given.workdir:
    artifact.save(given.workdir.path / ARTIFACT, made)
    changed = given.workdir.changed_rows(result.rows, result.step)
    tell(given.writers, changed)
    notes += changed
  clock.lap()
  found = _scored(scorer, made.data, result.step, given.writers)
  clock.lap('evaluate')
  told = _told(given, made, result, found, notes)
  told['resolved'] = resolved(given.config, prepared, result.step)
  if taught is not None:
    told['experts'] = taught
  told['seconds'] = all_seconds(clock.seconds, result.seconds)
  outcome = Outcome(made, told, *_rows(given.workdir, kept))
  if given.workdir:
    _write(given.workdir, outcome)
  return outcome


def _planned(
  given: Given,
  loaded: Loaded,
  prepared: Prepared,
  clock: Stopwatch,
  programs: Programs,
) -> Plan | None:
  """The run as it was measured to be; None where that was not asked for."""
  config = given.config
  if not (config['minutes'] or given.estimate):
    return None
  bench = _bench(given, loaded, prepared, programs)
  config = {**config, 'num_steps': num_steps(config, prepared)}
  work = plan.found if config['minutes'] else plan.estimated
  # A signal ends it as `Stop`: there is nothing yet to go on from.
  return interruptible(lambda: work(bench, config, clock.total))


def _bench(
  given: Given, loaded: Loaded, prepared: Prepared, programs: Programs
) -> plan.Bench:
  first = loaded.start.data if loaded.start else None
  return plan.Bench(
    prepared, Cache(), given.mesh, first, given.writers, programs
  )


def _watching(
  given: Given, bench: plan.Bench, clock: Stopwatch
) -> Sequence[Writer]:
  """The writers, and one that estimates what no plan has said."""
  config, writers = given.config, given.writers
  if given.plan is not None or not writers:
    return writers
  length = Length(num_steps(config, bench.prepared), config['validate_every'])
  costs = lambda step: plan.of_steps(bench, config, step, clock.total())
  return [*writers, Estimate(costs, length, writers)]


def _claimed(given: Given, identity: dict[str, Any]) -> Checkpointer | None:
  """Takes the folder for this run, where there is one."""
  workdir = given.workdir
  if workdir is None:
    return None
  workdir.claim(identity)
  if given.plan is not None:
    workdir.write_json(PLAN, given.plan)
  return Checkpointer(
    workdir.path / CHECKPOINTS, identity, free=('config.num_steps',)
  )


def _distilled(
  given: Given,
  scorer: Scorer,
  method: distiller.Distiller,
  source: Source,
  checkpointer: Checkpointer | None,
  programs: Programs,
) -> Result:
  """The outer loop, to its end."""
  steps = num_steps(given.config, scorer.prepared)
  expected = plan.ahead(scorer, given.plan)
  for writer in given.writers:
    if isinstance(writer, Expecting):
      writer.expect(steps, expected)
  with _released(given.workdir):
    return driver.distill(
      method,
      source,
      seed=given.config['seed'],
      num_steps=steps,
      validation=scorer.validation(),
      checkpointer=checkpointer,
      writers=given.writers,
      mesh=given.mesh,
      programs=programs,
    )


def _told(
  given: Given,
  made: Artifact,
  result: Result,
  found: dict[str, Any],
  notes: Sequence[str],
) -> dict[str, Any]:
  """What `result.json` holds, but for times and what a rule decided."""
  held = given.plan or (given.workdir.plan() if given.workdir else None)
  command = given.command(held['changes'] if held else {})
  result_of = record(made, result, found, command)
  result_of['notes'] += notes
  if held:
    result_of['plan'] = held
  return result_of


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
  workdir: Workdir | None, identity: dict[str, Any]
) -> Outcome | None:
  """That of a run that is done; None where steps are left, or added.

  Raises:
    UserError: the folder is another run's, or the run cannot be lengthened.
  """
  found = _result(workdir, identity) if workdir else None
  if workdir is None or found is None:
    return None
  held = artifact.load(workdir.path / ARTIFACT)
  return Outcome(held, found, *_rows(workdir, MemoryWriter()))


def _result(
  workdir: Workdir, identity: dict[str, Any]
) -> dict[str, Any] | None:
  """What `result.json` holds of a run that is done."""
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
  given: Given, prepared: Prepared, cache: Cache
) -> tuple[Source, dict[str, Any] | None]:
  """What the method reads; trains its experts where it wants any."""
  try:
    with Signals() as signals, signals.raising():
      return experts.source(
        given.config, prepared, cache, given.writers, given.mesh
      )
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


def _scored(
  scorer: Scorer, data: DistilledData, step: int, writers: Sequence[Writer]
) -> dict[str, Any]:
  """`record.score`; a signal does not have to wait for its end."""
  try:
    tell(writers, ['scoring on the test set'])
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


def _rows(workdir: Workdir | None, kept: MemoryWriter) -> tuple[Rows, Rows]:
  """Metrics and validations: those of the run's folder, where it has one."""
  if workdir is None:
    return kept.metrics, kept.validated
  return workdir.rows(METRICS), workdir.rows(VALIDATION)


def _write(workdir: Workdir, outcome: Outcome) -> None:
  """The report first: `result.json` says that the run is finished."""
  made = outcome.artifact
  report.write_report(
    workdir.path,
    outcome.result,
    made.image_uint8,
    made.start_image,
    np.asarray(made.data.label),
    made.class_names,
    outcome.metrics,
    outcome.validation,
  )
  workdir.write_json(RESULT, outcome.result)
