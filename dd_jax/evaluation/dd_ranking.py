"""The scores of DD-Ranking (arXiv 2505.13300), of accuracies that are given.

A distilled set may score well because its labels come from a teacher, or
because its learners are augmented. These scores ask what is left without: how
far hard labels fall behind the whole data set, and by how much the set beats
random images under the same training.

All accuracies are fractions in [0, 1], as in the published definition. The
released package, `dd-ranking` 0.2.0, puts percentages into the exponential.
"""

import math

from dd_jax.types import UserError


def hard_label_recovery(whole: float, hard: float) -> float:
  """HLR, a fraction; smaller is better.

  Args:
    whole: accuracy after training on the whole data set with hard labels.
    hard: after training on the distilled images with hard labels.

  Raises:
    UserError: an accuracy is no fraction, as in all functions here.
  """
  return _fraction('whole', whole) - _fraction('hard', hard)


def improvement_over_random(made: float, random: float) -> float:
  """IOR, a fraction; greater is better.

  Args:
    made: accuracy after training on the distilled set, labels as they are.
    random: on as many random real images, in the same way.
  """
  return _fraction('made', made) - _fraction('random', random)


def label_robust_score(
  recovery: float, improvement: float, weight: float = 0.5
) -> float:
  """LRS, in [0, 1]: 0.27 where a set is worth its random images alone.

  `(e^a - e^-1) / (e - e^-1)`, where `a = w IOR - (1 - w) HLR`.

  Args:
    recovery: HLR.
    improvement: IOR.
    weight: w, the share of IOR.
  """
  hlr = _difference('recovery', recovery)
  ior = _difference('improvement', improvement)
  share = _fraction('weight', weight)
  return _normalised(share * ior - (1 - share) * hlr)


def augmentation_robust_score(
  augmented: float, plain: float, weight: float = 0.5
) -> float:
  """ARS, in [0, 1], of the improvements with and without augmentation.

  As LRS, where `a = w IOR_augmented + (1 - w) IOR_plain`.

  Args:
    augmented: IOR where both sets are augmented.
    plain: IOR where neither is.
    weight: w, the share of the first.
  """
  with_it = _difference('augmented', augmented)
  without = _difference('plain', plain)
  share = _fraction('weight', weight)
  return _normalised(share * with_it + (1 - share) * without)


def _normalised(exponent: float) -> float:
  """From [-1, 1] to [0, 1], rising."""
  return (math.exp(exponent) - math.exp(-1)) / (math.e - math.exp(-1))


def _fraction(name: str, value: float) -> float:
  if not 0 <= value <= 1:
    raise UserError(f'{name}={value:g}: must be a fraction, 0 to 1')
  return value


def _difference(name: str, value: float) -> float:
  if not -1 <= value <= 1:
    raise UserError(
      f'{name}={value:g}: must be a difference of fractions, -1 to 1'
    )
  return value
