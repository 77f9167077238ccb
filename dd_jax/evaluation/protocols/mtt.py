"""The protocol of trajectory matching."""

import jax

from dd_jax.evaluation.protocols import dc, dsa
from dd_jax.evaluation.protocols.base import Protocol, Setting, unmirrored
from dd_jax.types import DistilledData


def mtt(setting: Setting) -> Protocol:
  """The protocol of trajectory matching (arXiv 2203.11932).

  As `dsa`, at the step size that was learned with the set; 0.01 where none was.
  """
  name = unmirrored('mtt', True, setting)
  transform = dsa.augmentation(setting.mirrors)
  return dc.trained(name, setting, transform, dc.Course(step_size))


def step_size(data: DistilledData) -> float | jax.Array:
  """The one that was learned with the set, or DC's."""
  rate = data.step_size
  if rate is None or rate.ndim:  # none learned, or one for each step
    return dc.STEP_SIZE
  return rate
