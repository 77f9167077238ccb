"""Confusions counted one by one; Wilson's interval as the roots it is."""

import numpy as np
import pytest

from dd_jax.evaluation import tally

REAL = np.array([0, 0, 0, 1, 1, 3])
SAID = np.array([[0, 0, 1, 1, 3, 3], [0, -1, 1, 0, 1, -1]])
COUNTS = ((3, 2, 0, 0, 1), (1, 2, 0, 1, 0), (0, 0, 0, 0, 0), (0, 0, 0, 1, 1))


def test_confusion_counts_every_answer():
  counts = tally.confusion(SAID, REAL, 4)
  assert counts == COUNTS
  by_hand = np.zeros((4, 5), int)
  for row in SAID:
    for real, said in zip(REAL, row, strict=True):
      by_hand[real, said] += 1  # -1 is the last column
  np.testing.assert_array_equal(counts, by_hand)


def test_every_class_counts_alike():
  shares = tally.by_class(COUNTS)
  assert shares == [pytest.approx(50), pytest.approx(50), None, 50]
  assert tally.balanced(COUNTS) == pytest.approx(50)
  assert tally.undecided(COUNTS) == 2
  assert tally.said(COUNTS) == [4, 4, 0, 2]


def test_balanced_is_not_plain_accuracy():
  """190 of one class and 12 of another, all called the first."""
  counts = tally.confusion(np.zeros((1, 202), int), np.arange(202) // 190, 2)
  assert tally.balanced(counts) == 50


@pytest.mark.parametrize('n', [1, 10, 300, 10_000])
@pytest.mark.parametrize('percent', [0.0, 3.0, 50.0, 98.7, 100.0])
def test_wilson_solves_its_equation(percent, n):
  """Both ends are where the normal test statistic is 1.96 exactly."""
  share = percent / 100
  low, high = (end / 100 for end in tally.wilson(percent, n))
  assert 0 <= low <= share <= high <= 1
  for end in {low, high} - {0.0, 1.0}:
    z = abs(share - end) / np.sqrt(end * (1 - end) / n)
    assert z == pytest.approx(1.959964, rel=1e-6)


def test_two_points_on_300_images_are_within_the_interval():
  """Six images, and about as much as chance may do."""
  low, high = tally.wilson(98.7, 300)
  assert low < 96.7 < 98.7 < high < 99.6
