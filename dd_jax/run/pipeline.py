"""One run from data to report: the only place where all the parts meet."""

import contextlib
import functools
import itertools
import json
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from dd_jax import artifact, distiller, report
from dd_jax.artifact import Artifact
from dd_jax.cache import Cache
from dd_jax.data.by_class import check_counts
from dd_jax.data.dataset import Dataset
from dd_jax.data.load import load
from dd_jax.data.prepare import Prepared, prepare
from dd_jax.data.source import Source
from dd_jax.evaluation.score import Score
from dd_jax.platform import here
from dd_jax.run import (
  driver,
  environment,
  experts,
  limits,
  memory,
  parts,
  recipe,
  registries,
)
from dd_jax.run.checkpoint import Checkpointer
from dd_jax.run.interrupt import Signals, Stop, interruptible
from dd_jax.run.lengthen import as_long_as, check_schedules, lengthens
from dd_jax.run.recipe import Config
from dd_jax.run.result import Interrupted, Result
from dd_jax.run.scoring import Scorer
from dd_jax.run.workdir import ARTIFACT, CHECKPOINTS, RESULT, Workdir
from dd_jax.run.writers import Writer
from dd_jax.types import DistilledData, UserError

_SCORE_STREAM = 1  # folded into the run's key for the final scores


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
  dataset = dataset or load_dataset(config)
  identity = {'config': _portable(config), 'data': dataset.provenance}
  start = parts.started_from(config)
  if start:  # its name alone, distilled.npz as a rule, would not tell
    identity['start'] = {'sha256': artifact.digest(start)}
  finished = _finished(workdir, identity) if workdir else None
  if workdir and finished:
    return Outcome(artifact.load(workdir.path / ARTIFACT), finished)
  cache = Cache()
  prepared = prepare(dataset, config['preprocessing'], cache=cache)
  first = start.data if start else None
  scorer = Scorer(config, prepared, cache, mesh, first, here())
  method = _method(config, prepared, scorer)
  checkpointer = None
  if workdir:
    workdir.claim(identity)
    checkpointer = Checkpointer(
      workdir.path / CHECKPOINTS, identity, free=('config.num_steps',)
    )
  notes = parts.notes(config, scorer.setting)
  for writer, note in itertools.product(writers, notes):
    writer.message(note)
  source, taught = _source(config, prepared, cache, writers, mesh)
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
  found, seconds = _scored(scorer, made.data, result.step, writers)
  record = _record(made, result, found, command)
  record['notes'] += notes
  if taught is not None:
    record['experts'] = taught
  record['seconds'] = {
    k: round(v, 3) for k, v in {**result.seconds, 'evaluate': seconds}.items()
  }
  if workdir:
    _write(workdir, made, record)
  return Outcome(made, record)


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


def load_dataset(config: Config) -> Dataset:
  """Loads what `config` names."""
  return load(
    config['dataset'],
    data_dir=config['data_dir'] or None,
    image_size=config['image_size'] or None,
    validation=held_out(config),
    seed=config['seed'],
  )


def held_out(config: Config) -> float | None:
  """Validation examples: a count, a share below 1, or None for the default."""
  share: float = config['validation']
  return (int(share) if share >= 1 else share) or None


def _method(
  config: Config, prepared: Prepared, scorer: Scorer
) -> distiller.Distiller:
  """Builds the method, and all that can be refused before hours of work."""
  check_counts(prepared.train, config['ipc'])
  scorer.check()
  experts.check(config, prepared)
  steps = num_steps(config, prepared)
  return scorer.build({**config, 'num_steps': steps})


def _scored(
  scorer: Scorer, data: DistilledData, step: int, writers: Sequence[Writer]
) -> tuple[dict[str, Any], float]:
  """`score` and its seconds; a signal does not have to wait for its end."""
  before = time.perf_counter()
  try:
    for writer in writers:
      writer.message('scoring on the test set')
    found = interruptible(lambda: score(scorer, data))
  except Stop as stop:
    raise Interrupted(step, stop.signum) from None
  return found, time.perf_counter() - before


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
    'config': _portable(config),
    'seed': config['seed'],
    'versions': environment.versions(),
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


def _portable(config: Config) -> Config:
  """The configuration as JSON would give it back, files without folders."""
  held: Config = json.loads(json.dumps(config))
  held['data_dir'] = ''
  if is_path(held['dataset']):
    held['dataset'] = os.path.basename(os.path.abspath(held['dataset']))
  store = held['experts']['store'].rstrip('/')
  held['experts']['store'] = os.path.basename(store)
  start = held['parameterization']['start']
  held['parameterization']['start'] = os.path.basename(start)
  return held


def is_path(dataset: str) -> bool:
  """Whether a data set is given by file or folder, and not by name."""
  return dataset.endswith('.npz') or os.path.isdir(dataset)


def score(scorer: Scorer, data: DistilledData) -> dict[str, Any]:
  """Test scores of a set and of the baselines beside it, as plain values.

  Returns:
    `protocol`, `test_accuracy`, `baselines` and `other_scores`, as in
    `result.json`.
  """
  key = jax.random.key(scorer.config['seed'])
  key = jax.random.fold_in(key, _SCORE_STREAM)
  scores = scorer.scores(key, data)
  baselines = scorer.baselines(key)
  headline = scores.pop(scorer.config['evaluation']['protocol'])
  return {
    'protocol': headline.protocol,
    'test_accuracy': _plain(headline),
    'baselines': {k: _plain(v) for k, v in baselines.items()},
    'other_scores': {k: _plain(v) for k, v in scores.items()},
  }


def _record(
  made: Artifact, result: Result, found: dict[str, Any], command: str
) -> dict[str, Any]:
  """What `result.json` holds."""
  meta = made.metadata
  notes = [*result.notes, *meta['dataset']['notes']]
  if made.preprocessing.note:
    notes.append(made.preprocessing.note)
  return {
    'method': meta['method'],
    'dataset': meta['dataset']['name'],
    'images_per_class': meta['ipc'],
    **meta['budget'],
    'selection': result.selection,
    'selected_step': result.best_step,
    **found,
    'steps': result.step,
    'peak_memory_bytes': environment.peak_memory_bytes(),
    'versions': meta['versions'],
    'seed': meta['seed'],
    'command': command,
    'config': meta['config'],
    'data': meta['dataset'],
    'preprocessing': meta['preprocessing']['name'],
    'label_encoding': meta['label_encoding'],
    'notes': notes,
  }


def _plain(score: Score) -> dict[str, Any]:
  return {**score._asdict(), 'values': list(score.values)}


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
