"""What `result.json` holds: plain values of a run, its scores, its machine."""

import os
from typing import Any

import jax
import numpy as np

from dd_jax import artifact
from dd_jax.artifact import Artifact
from dd_jax.data.dataset import Dataset
from dd_jax.evaluation import diagnoses, tally
from dd_jax.evaluation.metrics import Measure
from dd_jax.evaluation.score import Score
from dd_jax.run import counts, loading
from dd_jax.run.machine import machine, peak_memory_bytes, versions
from dd_jax.run.recipe import Config
from dd_jax.run.result import Result
from dd_jax.run.scoring import Scorer, Whole
from dd_jax.run.workdir import ARTIFACT
from dd_jax.types import DistilledData

_SCORE_STREAM = 1  # folded into the run's key for the final scores
_CONFUSED = 100  # classes, up to which result.json has all confusions


def score(scorer: Scorer, data: DistilledData) -> dict[str, Any]:
  """Test scores of a set and of the baselines beside it, as plain values.

  Returns:
    `protocol`, `labels`, `learner`, `test_accuracy`, `baselines`,
    `other_scores`, `whole`, `test_set` and `warnings`, as in `result.json`.
  """
  key = jax.random.key(scorer.config['seed'])
  key = jax.random.fold_in(key, _SCORE_STREAM)
  scores = scorer.scores(key, data)
  baselines = scorer.baselines(key)
  whole = scorer.whole_set(key, data)
  headline = scores.pop(scorer.config['evaluation']['protocol'])
  counts = np.asarray(scorer.prepared.test.class_count)
  examples = int(counts.sum())
  plain = lambda found: {k: plain_score(v, examples) for k, v in found}
  names = scorer.prepared.dataset.class_names
  random = baselines.get('random')
  return {
    'protocol': headline.protocol,
    'labels': scorer.labels(data),
    'learner': scorer.learner(data),
    'test_accuracy': plain_score(headline, examples),
    'baselines': plain(baselines.items()),
    'other_scores': plain(scores.items()),
    **({} if whole is None else {'whole': _whole(scorer, whole, examples)}),
    'test_set': test_set(counts),
    'warnings': [
      *diagnoses.of_score(headline, random, names),
      *diagnoses.of_others({**baselines, **scores}),
    ],
  }


def _whole(scorer: Scorer, found: Whole, examples: int) -> dict[str, Any]:
  """A learner of the whole training set, or `left_out`: why there is none."""
  size, plan = len(scorer.prepared.train), found.plan
  if found.score is None:
    return {'examples': size, 'left_out': plan.reason}
  told = plain_score(found.score, examples)
  if plan.epochs is not None:
    told['epochs'] = round(plan.epochs, 4)
  return {'examples': size, **told}


def plain_score(found: Score, examples: int) -> dict[str, Any]:
  """A score as JSON: its parts, and how sure the test set makes it.

  Args:
    found: the score.
    examples: in the test set.
  """
  interval = [round(end, 2) for end in tally.wilson(found.mean, examples)]
  parts = {
    **found._asdict(),
    'values': list(found.values),
    'interval': interval,
  }
  told = parts.pop('metrics')
  if told:
    parts['metrics'] = {k: _plain_measure(m) for k, m in told.items()}
  counts = parts.pop('counts')
  if counts is not None:
    parts['by_class'] = [
      None if share is None else round(share, 2)
      for share in tally.by_class(counts)
    ]
    if len(counts) <= _CONFUSED:
      parts['confusion'] = [list(row) for row in counts]
  return parts


def _plain_measure(found: Measure) -> dict[str, Any]:
  """A metric as JSON, its levels where it has any."""
  parts = {**found._asdict(), 'values': list(found.values)}
  levels = list(parts.pop('levels'))
  return {**parts, 'levels': levels} if levels else parts


def test_set(counts: np.ndarray) -> dict[str, Any]:
  """Its size, its classes, and what always answering the commonest scores.

  Args:
    counts: int `[k]`: examples of each class.
  """
  return {
    'examples': int(counts.sum()),
    'by_class': counts.tolist(),
    'commonest': round(100 * float(counts.max() / counts.sum()), 2),
  }


def audit(
  held: Artifact, path: str, config: Config, dataset: Dataset
) -> dict[str, Any]:
  """What a score outside of a run depends on, as plain values.

  Args:
    held: the set.
    path: its file.
    config: under which it is scored.
    dataset: on whose test images.
  """
  budget = held.metadata.get('budget', {})
  return {
    'method': config['method']['name'],
    'dataset': dataset.name,
    'images_per_class': counts.ipc(config),
    **counts.by_class(config),
    'artifact': {
      'file': os.path.basename(path),
      'sha256': artifact.digest(held),
      'released': held.metadata.get('released'),  # the file of others, if any
    },
    'stored_bytes': budget.get('stored_bytes', held.data.image.nbytes),
    'data': dataset.provenance,
    'preprocessing': held.preprocessing.name,
    'label_encoding': config['label_encoding'],
    'seed': config['seed'],
    'config': loading.portable(config),
    'machine': machine(),
    'versions': versions(),
  }


def record(
  made: Artifact, result: Result, found: dict[str, Any], command: str
) -> dict[str, Any]:
  """What `result.json` holds, but for what the pipeline alone knows.

  Args:
    made: the distilled set.
    result: how its run ended.
    found: as `score` gives it.
    command: what repeats the run.
  """
  meta = made.metadata
  notes = [*result.notes, *meta['dataset']['notes']]
  if made.preprocessing.note:
    notes.append(made.preprocessing.note)
  return {
    'method': meta['method'],
    'dataset': meta['dataset']['name'],
    'images_per_class': meta['ipc'],
    'artifact': {'file': ARTIFACT, 'sha256': artifact.digest(made)},
    **{k: meta[k] for k in ('images_by_class',) if k in meta},
    **meta['budget'],
    'pixels': made.pixels._asdict(),
    'selection': result.selection,
    'selected_step': result.best_step,
    **found,
    'steps': result.step,
    'peak_memory_bytes': peak_memory_bytes(),
    'machine': machine(),
    'versions': meta['versions'],
    'seed': meta['seed'],
    'command': command,
    'config': meta['config'],
    'data': meta['dataset'],
    'preprocessing': meta['preprocessing']['name'],
    'label_encoding': meta['label_encoding'],
    'notes': notes,
    'warnings': [*result.warnings, *found['warnings']],
  }
