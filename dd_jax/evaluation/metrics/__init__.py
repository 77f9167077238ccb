"""Metrics beyond accuracy, of the same trained learners.

| name | what it is |
|---|---|
| `nll` | negative log-likelihood of the right class, in nats |
| `ece` | expected calibration error, 15 bins of equal width |
| `adaptive_ece` | the same, 15 bins of equally many images |
| `agreement` | share of images on which two learners say the same |
| `fgsm` | accuracy under one step of the gradient's sign |
| `pgd` | accuracy under ten steps of projected gradient ascent |
| `gaussian_noise`, `shot_noise`, `impulse_noise` | accuracy under noise |
| `gaussian_blur`, `motion_blur` | accuracy under blur |
| `contrast`, `brightness`, `pixelate` | accuracy under digital changes |
| `corruptions` | the mean of these eight, and each of them |
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from dd_jax.evaluation.metrics import attacks, calibration, corruptions
from dd_jax.evaluation.metrics.agreement import agreement
from dd_jax.evaluation.metrics.base import (
  Case,
  Measure,
  Pixels,
  Wanted,
  measure,
  over,
)

__all__ = [
  'METRICS',
  'OF_PROBABILITIES',
  'SUITE',
  'Case',
  'Measure',
  'Pixels',
  'Wanted',
  'measured',
  'over',
]

METRICS: dict[str, Callable[[Case], Measure | None]] = {
  'nll': calibration.nll,
  'ece': calibration.ece,
  'adaptive_ece': calibration.adaptive_ece,
  'agreement': agreement,
  'fgsm': attacks.fgsm,
  'pgd': attacks.pgd,
  **{
    kind: functools.partial(corruptions.corrupted, kind)
    for kind in corruptions.KINDS
  },
}
"""By name: `(Case) -> Measure`, or None where these learners have none."""

SUITE = 'corruptions'
"""The name that stands for all corruptions, and for their mean."""

OF_PROBABILITIES = ('nll', 'ece', 'adaptive_ece')
"""Those that need learners whose answers are logits."""


def measured(names: Sequence[str], case: Case) -> dict[str, Measure]:
  """The metrics of these names, each once.

  Args:
    names: of `METRICS`, or `SUITE`.
    case: the learners.
  """
  each = [k for n in names for k in (corruptions.KINDS if n == SUITE else [n])]
  told = {name: METRICS[name](case) for name in dict.fromkeys(each)}
  found = {name: value for name, value in told.items() if value is not None}
  if SUITE in names:
    found[SUITE] = _mean([found[kind] for kind in corruptions.KINDS])
  return found


def _mean(kinds: Sequence[Measure]) -> Measure:
  """That of all corruptions, learner by learner and severity by severity."""
  values = np.array([kind.values for kind in kinds]).mean(0)
  levels = np.array([kind.levels for kind in kinds]).mean(0)
  about = f'mean of {len(kinds)} kinds, {kinds[0].about}'
  return measure(values, kinds[0].unit, about, levels)
