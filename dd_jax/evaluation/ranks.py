"""Whether a distilled set ranks architectures as the whole data set does.

The use that Zhao et al. (arXiv 2006.05929, section 4.4) propose: architectures
are searched on the small set, and the best few are trained on all data.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from dd_jax.checks import check_least, check_positive


class Agreement(NamedTuple):
  """How far two rankings agree.

  Attributes:
    spearman: correlation of ranks, -1 to 1; NaN where either is constant.
    kendall: tau-b, the same of pairs.
    regret: percentage points that the best of all has over the best of those
      that would be trained in full.
    top: how many these are.
  """

  spearman: float
  kendall: float
  regret: float
  top: int


def agreement(
  proxy: Sequence[float], real: Sequence[float], top: int = 10
) -> Agreement:
  """How well the scores on a small set stand for those on all data.

  Args:
    proxy: accuracy of each architecture after training on the small set.
    real: after training on all data, in percent, in the same order.
    top: architectures that are taken from the small set's ranking.

  Raises:
    UserError: fewer than two architectures, or none to be taken.
  """
  check_positive(top=top)
  check_least(2, architectures=len(real))
  chosen = np.argsort(-np.asarray(proxy), kind='stable')[:top]
  regret = max(real) - max(np.asarray(real)[chosen])
  return Agreement(
    float(stats.spearmanr(proxy, real).statistic),
    float(stats.kendalltau(proxy, real).statistic),
    float(regret),
    min(top, len(real)),
  )
