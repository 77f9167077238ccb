"""Who was taken for whom: confusions, accuracy by class, and how sure it is."""

import math
from typing import TypeAlias

import numpy as np

Counts: TypeAlias = tuple[tuple[int, ...], ...]
"""`[k][k + 1]`: examples of a class by what they were called; in the last
column, those whose answer was not finite."""
_Z = 1.959964  # of a normal distribution, for 95 %


def confusion(predicted: np.ndarray, real: np.ndarray, k: int) -> Counts:
  """Counts the answers of all learners.

  Args:
    predicted: int `[m, n]`, -1 for one that was not finite.
    real: int `[n]`, in 0 to k - 1.
    k: classes.
  """
  said = np.where(predicted < 0, k, predicted)
  found = np.zeros((k, k + 1), np.int64)
  np.add.at(found, (np.broadcast_to(real, said.shape), said), 1)
  return tuple(tuple(row) for row in found.tolist())


def by_class(counts: Counts) -> list[float | None]:
  """Accuracy on each class, in percent; None where it has no example."""
  return [
    100 * row[i] / sum(row) if sum(row) else None
    for i, row in enumerate(counts)
  ]


def balanced(counts: Counts) -> float:
  """The mean of `by_class`, in percent: every class counts alike."""
  known = [share for share in by_class(counts) if share is not None]
  return sum(known) / max(1, len(known))


def undecided(counts: Counts) -> int:
  """Answers that were not finite."""
  return sum(row[-1] for row in counts)


def said(counts: Counts) -> list[int]:
  """How often each class was the answer."""
  return [sum(column) for column in zip(*counts, strict=True)][:-1]


def wilson(percent: float, n: int) -> tuple[float, float]:
  """95 % interval of an accuracy that was found on `n` test examples.

  Wilson's score interval (1927) of a binomial share: what another test set of
  that size might say of the same learner. For a mean over learners that were
  tested on the same examples it is, if anything, too wide.

  Args:
    percent: the accuracy.
    n: at least 1.

  Returns:
    Both ends, in percent.
  """
  share, square = percent / 100, _Z**2
  centre = share + square / (2 * n)
  half = _Z * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
  scale = 100 / (1 + square / n)
  low, high = scale * (centre - half), scale * (centre + half)
  return min(percent, max(0.0, low)), max(percent, min(100.0, high))
