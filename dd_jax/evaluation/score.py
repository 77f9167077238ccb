"""The score of a distilled set: its accuracy under a protocol."""

from typing import NamedTuple

import jax

from dd_jax.data.source import Source
from dd_jax.evaluation.protocols import Protocol
from dd_jax.types import DistilledData, Key


class Score(NamedTuple):
  """Accuracy under a protocol, in percent.

  Attributes:
    protocol: its name.
    mean: over learners.
    std: sample standard deviation; None for a single or exact value.
    values: one for each learner.
  """

  protocol: str
  mean: float
  std: float | None
  values: tuple[float, ...]


def evaluate(
  protocol: Protocol,
  key: Key,
  data: DistilledData,
  test: Source,
  *,
  num_learners: int = 5,
) -> Score:
  """Scores `data` on `test` with fresh learners, all together."""
  count = 1 if protocol.exact else num_learners
  accuracies = protocol.score(jax.random.split(key, count), data, test)
  values = tuple(round(100 * float(a), 4) for a in accuracies)
  return summary(protocol.name, values)


def summary(name: str, values: tuple[float, ...]) -> Score:
  """Mean and deviation of accuracies in percent."""
  mean = sum(values) / len(values)
  if len(values) == 1:
    return Score(name, round(mean, 4), None, values)
  square = sum((v - mean) ** 2 for v in values) / (len(values) - 1)
  return Score(name, round(mean, 4), round(square**0.5, 4), values)
