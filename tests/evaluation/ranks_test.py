"""Rankings compared: against counting every pair by hand."""

import itertools
import math

import numpy as np
import pytest

from dd_jax.evaluation.ranks import agreement
from dd_jax.types import UserError


def pairs(a, b):
  """Kendall's tau of scores without ties: what two of three pairs say."""
  signs = [
    np.sign(a[i] - a[j]) * np.sign(b[i] - b[j])
    for i, j in itertools.combinations(range(len(a)), 2)
  ]
  return np.mean(signs)


@pytest.mark.parametrize('seed', range(3))
def test_against_all_pairs_and_the_correlation_of_ranks(seed):
  rng = np.random.default_rng(seed)
  real = rng.permutation(12).astype(float)
  proxy = real + rng.normal(0, 4, 12)
  found = agreement(proxy, real, top=3)
  ranks = [np.argsort(np.argsort(values)) for values in (proxy, real)]
  assert found.kendall == pytest.approx(pairs(proxy, real))
  assert found.spearman == pytest.approx(np.corrcoef(*ranks)[0, 1])
  taken = sorted(range(12), key=lambda i: -proxy[i])[:3]
  assert found.regret == 11 - max(real[i] for i in taken)


def test_ends():
  real = [70.0, 80.0, 90.0]
  assert agreement([1, 2, 3], real, 1) == pytest.approx((1, 1, 0, 1))
  assert agreement([3, 2, 1], real, 1) == pytest.approx((-1, -1, 20, 1))
  assert agreement([3, 2, 1], real).regret == 0  # all are taken
  assert agreement([3, 2, 1], real).top == 3


@pytest.mark.filterwarnings('ignore')
def test_a_set_that_tells_nothing_apart_has_no_correlation():
  assert math.isnan(agreement([5, 5, 5], [70.0, 80.0, 90.0]).spearman)


def test_what_cannot_be_ranked():
  with pytest.raises(UserError, match='architectures=1: allowed are 2'):
    agreement([1.0], [1.0])
  with pytest.raises(UserError, match='top=0: must be above 0'):
    agreement([1.0, 2.0], [1.0, 2.0], top=0)
