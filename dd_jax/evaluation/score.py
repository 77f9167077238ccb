"""The score of a distilled set: its accuracy under a protocol."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np

from dd_jax.data.source import Source, classes
from dd_jax.evaluation import tally
from dd_jax.evaluation.metrics import (
  Case,
  Measure,
  Wanted,
  measured,
  over,
)
from dd_jax.evaluation.protocols import Protocol
from dd_jax.evaluation.tester import Tester, accuracies, source_predictions
from dd_jax.types import DistilledData, Key, PyTree

_METRIC_SEED = 0


class Score(NamedTuple):
  """Accuracy under a protocol, in percent.

  Attributes:
    protocol: its name.
    mean: over learners.
    std: sample standard deviation; None for a single or exact value.
    values: one for each learner.
    runs: what they are: '5 learners', '5 draws, a learner each', 'exact'.
    balanced: mean over the classes of the accuracy on each, in percent; None
      where the protocol tells accuracies alone, as is `counts`.
    undecided: answers that were not finite, of all learners; they are wrong.
    counts: `[k][k + 1]`, see `tally.confusion`; None for a baseline.
    metrics: what else was asked of the learners, by name; None where nothing.
  """

  protocol: str
  mean: float
  std: float | None
  values: tuple[float, ...]
  runs: str = ''
  balanced: float | None = None
  undecided: int = 0
  counts: tally.Counts | None = None
  metrics: Mapping[str, Measure] | None = None


def evaluate(
  protocol: Protocol,
  key: Key,
  data: DistilledData,
  test: Source,
  *,
  num_learners: int = 5,
  wanted: Wanted | None = None,
) -> Score:
  """Scores `data` on `test` with fresh learners, all together.

  Args:
    protocol: how.
    key: of the learners.
    data: the set.
    test: real examples.
    num_learners: of a protocol that is not exact.
    wanted: metrics beside the accuracy, of the same learners, or None; the
      protocol's `score` must be a `Tester`.
  """
  count = 1 if protocol.exact else num_learners
  keys = jax.random.split(key, count)
  runs = 'exact' if protocol.exact else several(count, 'learner')
  if not isinstance(protocol.score, Tester):
    found = _percent(protocol.name, protocol.score(keys, data, test))
    return found._replace(runs=runs)
  tester = protocol.score
  learners = tester.fit(keys, data)
  predicted = tester.ask(source_predictions, learners, test)
  counts = tally.confusion(
    np.asarray(predicted), np.asarray(classes(test)), test.num_classes
  )
  found = _percent(protocol.name, accuracies(predicted, test))
  return found._replace(
    runs=runs,
    balanced=round(tally.balanced(counts), 4),
    undecided=tally.undecided(counts),
    counts=counts,
    metrics=_metrics(wanted, tester, learners, test),
  )


def _metrics(
  wanted: Wanted | None, tester: Tester, learners: PyTree, test: Source
) -> Mapping[str, Measure] | None:
  """What is asked beside the accuracy; draws are the same for every set."""
  if wanted is None:
    return None
  key = jax.random.key(_METRIC_SEED)
  case = Case(tester, learners, test, wanted.pixels, wanted.budget, key)
  return measured(wanted.names, case)


def _percent(name: str, shares: jax.Array) -> Score:
  return summary(name, tuple(round(100 * float(a), 4) for a in shares))


def summary(name: str, values: tuple[float, ...]) -> Score:
  """Mean and deviation of accuracies in percent."""
  mean = sum(values) / len(values)
  if len(values) == 1:
    return Score(name, round(mean, 4), None, values)
  square = sum((v - mean) ** 2 for v in values) / (len(values) - 1)
  return Score(name, round(mean, 4), round(square**0.5, 4), values)


def of_draws(scores: list[Score]) -> Score:
  """The score of several sets drawn alike, from the score of each."""
  first = scores[0]
  each = '' if first.runs == 'exact' else ', a learner each'
  parts = [s.balanced for s in scores if s.balanced is not None]
  return summary(first.protocol, tuple(s.mean for s in scores))._replace(
    runs=several(len(scores), 'draw') + each,
    balanced=round(sum(parts) / len(parts), 4) if parts else None,
    undecided=sum(s.undecided for s in scores),
    metrics=_of_each([s.metrics for s in scores if s.metrics]),
  )


def _of_each(
  draws: list[Mapping[str, Measure]],
) -> Mapping[str, Measure] | None:
  """Metrics over draws, of whose learners each gave one value."""
  if not draws:
    return None
  return {name: over([held[name] for held in draws]) for name in draws[0]}


def several(count: int, what: str) -> str:
  """`5 learners`, `1 draw`."""
  return f'{count} {what}' + 's' * (count != 1)
