"""One cell of a grid: a set is distilled in its time, then scored as all are.

What judges the sets is the same for every method, whatever its own papers are
scored under.
"""

import dataclasses
import functools
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from dd_jax import artifact
from dd_jax.artifact import Artifact
from dd_jax.cache import Cache
from dd_jax.data.dataset import Dataset
from dd_jax.data.prepare import Prepared, prepare
from dd_jax.run import (
  invariances,
  loading,
  parts,
  pipeline,
  plan,
  recipe,
  record,
  settings,
)
from dd_jax.run.grid import Cell, Judge
from dd_jax.run.interrupt import interruptible
from dd_jax.run.outcome import Outcome
from dd_jax.run.recipe import Config
from dd_jax.run.scoring import Scorer
from dd_jax.run.stages import tell
from dd_jax.run.workdir import ARTIFACT, Workdir
from dd_jax.run.writers import JsonlWriter, Writer

CELLS = 'cells'
"""The folder of the runs."""
_KEPT = (
  'method', 'dataset', 'images_per_class', 'seed', 'stored_floats',
  'stored_bytes', 'selection', 'steps', 'seconds', 'command', 'preprocessing',
  'label_encoding', 'machine', 'versions',
)  # fmt: skip
_OF_DATA = (
  'dataset', 'data_dir', 'image_size', 'range', 'classes', 'validation', 'seed',
)  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class Runner:
  """Runs the cells of a suite.

  Attributes:
    judge: scores each set.
    folder: where runs are written, each in a folder of its own.
    given: fields of every run, such as `data_dir`.
    fields: changes of every run, by dotted field.
    writers: told what is done.
  """

  judge: Judge
  folder: pathlib.Path
  given: Mapping[str, Any]
  fields: Mapping[str, str]
  writers: Sequence[Writer] = ()

  def measured(self, cell: Cell) -> dict[str, str]:
    """What a run of that cell changes, so that it distils in its time.

    Raises:
      UserError: what is wrong with it.
      Stop: SIGINT or SIGTERM came.
    """
    cache, config = Cache(), self._config(cell)
    dataset = self._dataset(config)
    config, _, _ = invariances.decide(config, dataset, cache)
    fitted = parts.preprocessing(config)
    prepared = prepare(dataset, fitted, cache=cache)
    config = {**config, 'num_steps': pipeline.num_steps(config, prepared)}
    bench = plan.Bench(prepared, cache, writers=self.writers)
    found = interruptible(lambda: plan.timed(bench, config, cell.seconds))
    tell(self.writers, found.lines)
    jax.clear_caches()
    return found.changes

  def run(
    self, cell: Cell, changes: Mapping[str, str], *, anew: bool = False
  ) -> dict[str, Any]:
    """Distils and scores; what a run of that cell left is continued.

    Args:
      cell: which.
      changes: as `measured` gives them, for it or for another seed.
      anew: discards what is left: it led nowhere.

    Returns:
      What the suite's file holds of it, as plain values.

    Raises:
      UserError: what is wrong with it.
      Interrupted: SIGINT or SIGTERM came while distilling.
      Stop: or while scoring.
    """
    load = [os.getloadavg()[0]]
    config = settings.as_found(self._config(cell), changes)
    dataset, workdir = self._dataset(config), self._workdir(cell, anew)
    outcome = pipeline.run(
      config,
      dataset=dataset,
      workdir=workdir,
      writers=[*self.writers, JsonlWriter(workdir.path)],
      command=functools.partial(_command, cell, {**self.fields, **changes}),
    )
    scores = interruptible(lambda: self._scores(outcome.artifact, dataset))
    jax.clear_caches()  # of programs that no other cell has
    load.append(os.getloadavg()[0])
    return {**_line(cell, outcome), 'networks': scores, 'load': load}

  def _workdir(self, cell: Cell, anew: bool) -> Workdir:
    """That of a run with a checkpoint, or one that starts anew."""
    path = self.folder / CELLS / cell.name
    held = Workdir(path, resume=True)
    goes_on = held.has_checkpoint and not anew
    return held if goes_on else Workdir(path, overwrite=True)

  def _config(self, cell: Cell) -> Config:
    named = {**self.given, **cell._asdict()}
    del named['seconds']
    config = settings.configuration(None, named, self.fields)
    judged = {**self._judging(self.judge.networks[0]), 'learners': 1}
    return recipe.changed(config, {'evaluation': judged})

  def _judging(self, network: Config) -> Config:
    judge = self.judge
    return {
      'network': network,
      'protocol': judge.protocols[0],
      'others': (),
      'learners': judge.learners,
      'steps': judge.steps,
      'baselines': (),
      'whole': 'no',
    }

  def _dataset(self, config: Config) -> Dataset:
    return self._loaded(json.dumps({k: config[k] for k in _OF_DATA}))

  @functools.lru_cache(maxsize=1)  # noqa: B019 (a runner lives for one suite)
  def _loaded(self, fields: str) -> Dataset:
    """The data of those fields; cells that follow one another share them."""
    return loading.load_dataset(json.loads(fields))

  def _scores(self, made: Artifact, dataset: Dataset) -> dict[str, Any]:
    """What `record.score` gives, by network; exact protocols with the first."""
    own = made.metadata['config']
    config = recipe.update(recipe.default(own['method']['name']), own)
    prepared = prepare(dataset, made.preprocessing, cache=Cache())
    others = self.judge.protocols[1:]
    found = {}
    for network in self.judge.networks:
      scorer = self._scorer(config, prepared, network, others)
      found[label(network)] = _short(record.score(scorer, made.data))
      others = tuple(name for name in others if name not in scorer.exact)
    return found

  def _scorer(
    self,
    config: Config,
    prepared: Prepared,
    network: Config,
    others: tuple[str, ...],
  ) -> Scorer:
    judged = {**self._judging(network), 'others': others}
    config = recipe.changed(config, {'evaluation': judged})
    scorer = Scorer(config, prepared, Cache(), writers=self.writers)
    scorer.check()
    return scorer


def label(network: Config) -> str:
  """`convnet width=32`."""
  changes = [f'{k}={v}' for k, v in network.items() if k != 'name']
  return ' '.join([network['name'], *changes])


def _line(cell: Cell, outcome: Outcome) -> dict[str, Any]:
  result = outcome.result
  return {
    'cell': cell.name,
    'seconds_given': cell.seconds,
    **{k: result[k] for k in _KEPT},
    'data': {k: result['data'][k] for k in ('name', 'sha256')},
    'artifact': {
      'file': f'{CELLS}/{cell.name}/{ARTIFACT}',
      'sha256': artifact.digest(outcome.artifact),
    },
  }


def _short(scores: dict[str, Any]) -> dict[str, Any]:
  """Without confusions and what was not asked for."""
  others = {k: _plain(v) for k, v in scores['other_scores'].items()}
  return {
    'protocol': scores['protocol'],
    'test_accuracy': _plain(scores['test_accuracy']),
    'other_scores': others,
    'test_set': {'examples': scores['test_set']['examples']},
  }


def _plain(score: dict[str, Any]) -> dict[str, Any]:
  return {k: score[k] for k in ('mean', 'std', 'values', 'runs')}


def _command(
  cell: Cell, fields: Mapping[str, str], found: Mapping[str, str]
) -> str:
  """What repeats the run of a cell, in a folder of its own."""
  changes = {**fields, **found}
  given = [f'--{k}={v}' for k, v in cell._asdict().items() if k != 'seconds']
  told = [f'--config.{k}={v}' for k, v in changes.items()]
  return ' '.join(['dd-jax', 'distill', *given, *told])
