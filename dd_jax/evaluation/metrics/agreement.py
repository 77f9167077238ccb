"""Whether learners of the same set say the same."""

import numpy as np

from dd_jax.evaluation.metrics.base import Case, Measure, measure


def agreement(case: Case) -> Measure | None:
  """Share of test examples on which two learners name the same class.

  Of each learner with all others, a mean; what is not finite agrees with
  nothing. None of a single learner.
  """
  count = len(case.answers)
  if count == 1:
    return None
  said = case.answers.argmax(-1)
  known = np.isfinite(case.answers).all(-1)
  same = (said[:, None] == said[None]) & known[:, None] & known[None]
  share = same.mean(-1)
  others = (share.sum(1) - share.diagonal()) / (count - 1)
  return measure(100 * others, '%', f'with the other {count - 1}')
