"""How far probabilities can be believed."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from dd_jax.evaluation.metrics.base import Case, Measure, log_softmax, measure

BINS = 15

Bins: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""`(confidences [n]) -> the bin of each, int [n]`."""


def nll(case: Case) -> Measure:
  """Negative log-likelihood of the right class, a mean over test examples."""
  log = log_softmax(case.answers)
  right = log[:, np.arange(len(case.label)), case.label]
  return measure(-right.mean(1), 'nats', 'all test images')


def ece(case: Case) -> Measure:
  r"""Expected calibration error (Guo et al., arXiv 1706.04599, eq. 3).

  .. math:: \sum_b \frac{|b|}{n} \, |acc(b) - conf(b)|

  over 15 bins of equal width: `(0, 1/15]` and so on.
  """
  said = f'{BINS} bins of equal width'
  return _each(case, lambda share: np.ceil(share * BINS).astype(int) - 1, said)


def adaptive_ece(case: Case) -> Measure:
  """As `ece`, in 15 bins of equally many examples (Nguyen, O'Connor 2015)."""

  def bins(share: np.ndarray) -> np.ndarray:
    place = np.empty(len(share), int)
    for number, held in enumerate(np.array_split(np.argsort(share), BINS)):
      place[held] = number
    return place

  return _each(case, bins, f'{BINS} bins of equally many images')


def _each(case: Case, bins: Bins, said: str) -> Measure:
  """The error of each learner, in percent."""
  found = []
  for answers in case.answers:
    share = np.exp(log_softmax(answers).max(-1))
    right = answers.argmax(-1) == case.label
    known = np.isfinite(share).all()
    error = binned_error(share, right, bins(share)) if known else np.nan
    found.append(100 * error)
  return measure(found, '%', said)


def binned_error(
  share: np.ndarray, right: np.ndarray, place: np.ndarray
) -> float:
  """The gap between confidence and accuracy, over bins, weighted by size.

  Args:
    share: confidences, `[n]`.
    right: whether the answer was, bool `[n]`.
    place: the bin of each, int `[n]`.
  """
  gap = np.bincount(place, right - share, minlength=BINS)
  return float(np.abs(gap).sum() / len(share))
