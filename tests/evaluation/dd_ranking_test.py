"""DD-Ranking's scores: the published table, the ends, and no percentages."""

import math

import pytest

from dd_jax.evaluation import dd_ranking
from dd_jax.types import UserError

# HLR and IOR in percent on CIFAR-10 at 10 per class, from the leaderboard, and
# what the published formula gives of them.
TABLE = {
  'dc': (36.70, 18.54, 23.2),
  'dsa': (35.14, 19.62, 23.7),
  'dm': (39.37, 16.12, 22.2),
  'mtt': (23.73, 30.90, 28.4),
}


@pytest.mark.parametrize('method', TABLE)
def test_the_leaderboard_at_ten_per_class(method):
  hlr, ior, expected = TABLE[method]
  score = 100 * dd_ranking.label_robust_score(hlr / 100, ior / 100)
  assert score == pytest.approx(expected, abs=0.05)
  with pytest.raises(UserError, match=r'recovery=.*difference of fractions'):
    dd_ranking.label_robust_score(hlr, ior)


def test_of_percentages_the_formula_says_nothing():
  """What dd-ranking 0.2.0 prints of DC, DSA and DM alike."""
  for method in ('dc', 'dsa', 'dm'):
    hlr, ior, _ = TABLE[method]
    raw = (math.exp((ior - hlr) / 2) - 1 / math.e) / (math.e - 1 / math.e)
    assert raw == pytest.approx(-0.156, abs=1e-3)


def test_ends_and_order():
  hlr = dd_ranking.hard_label_recovery(whole=0.85, hard=0.45)
  ior = dd_ranking.improvement_over_random(made=0.5, random=0.3)
  assert (hlr, ior) == pytest.approx((0.4, 0.2))
  lrs, ars = dd_ranking.label_robust_score, dd_ranking.augmentation_robust_score
  assert lrs(1.0, -1.0) == pytest.approx(0) == ars(-1.0, -1.0)
  assert lrs(-1.0, 1.0) == pytest.approx(1) == ars(1.0, 1.0)
  assert lrs(0.0, 0.0) == pytest.approx(
    (1 - 1 / math.e) / (math.e - 1 / math.e)
  )
  assert (
    lrs(hlr, ior) < lrs(hlr - 0.1, ior) == pytest.approx(lrs(hlr, ior + 0.1))
  )
  assert ars(0.2, 0.1, weight=1) == lrs(0.0, 0.2, weight=1)


def test_an_accuracy_in_percent_is_refused():
  with pytest.raises(UserError, match='whole=85: must be a fraction, 0 to 1'):
    dd_ranking.hard_label_recovery(85, 45)
  with pytest.raises(UserError, match='weight=2: must be a fraction'):
    dd_ranking.label_robust_score(0.1, 0.1, weight=2)
