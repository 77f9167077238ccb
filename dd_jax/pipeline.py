"""One run from data to report: the only place where all the parts meet."""

import importlib.metadata
import json
import platform
import resource
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from dd_jax import artifact, distiller, driver, recipe, report
from dd_jax.artifact import Artifact
from dd_jax.checkpoint import Checkpointer
from dd_jax.data.dataset import Dataset
from dd_jax.data.load import load
from dd_jax.data.prepare import Prepared, prepare
from dd_jax.evaluation.cache import Cache
from dd_jax.evaluation.protocols import Score
from dd_jax.recipe import Config
from dd_jax.scoring import Scorer
from dd_jax.types import DistilledData, PyTree, UserError
from dd_jax.version import VERSION
from dd_jax.workdir import ARTIFACT, CHECKPOINTS, RESULT, Workdir
from dd_jax.writers import Writer

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
    mesh: see `driver.distill`.

  Raises:
    UserError: what the user gave is wrong, or the loss diverged.
    driver.Interrupted: SIGINT or SIGTERM came.
  """
  check(config)
  dataset = dataset or load_dataset(config)
  identity = {'config': _portable(config), 'data': dataset.provenance}
  if workdir:
    workdir.claim(identity)
    finished = workdir.result()
    if finished:
      return Outcome(artifact.load(workdir.path / ARTIFACT), finished)
  prepared = prepare(dataset, config['preprocessing'])
  scorer = Scorer(config, prepared, Cache())
  result = _distilled(
    config, prepared, scorer, workdir, identity, writers, mesh
  )
  made = _artifact(config, prepared, result)
  if workdir:
    artifact.save(workdir.path / ARTIFACT, made)
  for writer in writers:
    writer.message('scoring on the test set')
  before = time.perf_counter()
  found = score(scorer, made.data)
  seconds = {**result.seconds, 'evaluate': time.perf_counter() - before}
  record = _record(made, result, found, command)
  record['seconds'] = {k: round(v, 3) for k, v in seconds.items()}
  if workdir:
    _write(workdir, made, record)
  return Outcome(made, record)


def load_dataset(config: Config) -> Dataset:
  """Loads what `config` names."""
  share = config['validation']
  validation: float | None = share or None
  if share >= 1:
    validation = int(share)
  return load(
    config['dataset'],
    data_dir=config['data_dir'] or None,
    image_size=config['image_size'] or None,
    validation=validation,
    seed=config['seed'],
  )


def check(config: Config) -> None:
  """Refuses values that no run can have, before anything is computed.

  Raises:
    UserError: names the field, the value and what is allowed.
  """
  lowest = {'ipc': 1, 'seed': 0, 'num_steps': -1, 'validate_every': 0}
  for field, least in lowest.items():
    if config[field] < least:
      raise UserError(
        f'--{field}={config[field]}: allowed are {least} and more'
      )
  section = config['evaluation']
  if section['learners'] < 1:
    raise UserError(
      f'config.evaluation.learners={section["learners"]}: allowed are 1 and '
      'more'
    )
  features = {'pixels': None, 'network': None}
  recipe.check_name('evaluation.features', section['features'], features)
  for name in section['baselines']:
    recipe.check_name('evaluation.baselines', name, recipe.SELECTIONS)
  for name in (section['protocol'], *section['others']):
    recipe.check_name('evaluation.protocol', name, recipe.PROTOCOLS)


def _distilled(
  config: Config,
  prepared: Prepared,
  scorer: Scorer,
  workdir: Workdir | None,
  identity: dict[str, Any],
  writers: Sequence[Writer],
  mesh: jax.sharding.Mesh | None,
) -> driver.Result:
  steps = num_steps(config, prepared)
  method = recipe.build({**config, 'num_steps': steps}, scorer.setting)
  checkpointer = None
  if workdir:
    checkpointer = Checkpointer(workdir.path / CHECKPOINTS, identity)
  return driver.distill(
    method,
    prepared.train,
    seed=config['seed'],
    num_steps=steps,
    validation=scorer.validation() if steps else None,
    checkpointer=checkpointer,
    writers=writers,
    mesh=mesh,
  )


def num_steps(config: Config, prepared: Prepared) -> int:
  """Outer steps; -1 in the configuration is one sweep of the training data."""
  if config['num_steps'] >= 0:
    return config['num_steps']
  return -(-len(prepared.train) // config['method']['batch_size'])


def _artifact(
  config: Config, prepared: Prepared, result: driver.Result
) -> Artifact:
  dataset = prepared.dataset
  cost = distiller.budget(result.state)
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
    'budget': {
      'stored_floats': cost.floats,
      'stored_bytes': cost.bytes,
      'decoded_images': len(data.image),
    },
    'config': _portable(config),
    'seed': config['seed'],
    'versions': versions(),
  }
  start = np.asarray(prepared.preprocessing.display(result.start.image))
  return Artifact(data, prepared.preprocessing, start, metadata)


def _portable(config: Config) -> Config:
  """The configuration as JSON would give it back, without folders."""
  held: Config = json.loads(json.dumps(config))
  held['data_dir'] = ''
  held['dataset'] = held['dataset'].rstrip('/').rsplit('/', 1)[-1]
  return held


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
  made: Artifact, result: driver.Result, found: dict[str, Any], command: str
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
    **found,
    'steps': result.step,
    'peak_memory_bytes': peak_memory_bytes(),
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


def versions() -> dict[str, str]:
  """Versions of what the numbers depend on."""
  names = ('jax', 'jaxlib', 'flax', 'optax', 'numpy')
  found = {name: importlib.metadata.version(name) for name in names}
  return {'dd_jax': VERSION, **found, 'python': platform.python_version()}


def peak_memory_bytes() -> int:
  """The most memory so far: of the accelerator, or of this process."""
  statistics: PyTree = jax.local_devices()[0].memory_stats()
  if statistics and 'peak_bytes_in_use' in statistics:
    return int(statistics['peak_bytes_in_use'])
  unit = 1 if sys.platform == 'darwin' else 1024
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
