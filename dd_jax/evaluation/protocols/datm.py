"""The protocol of difficulty-aligned trajectory matching."""

from dd_jax.evaluation.protocols import dc, dsa
from dd_jax.evaluation.protocols.base import Protocol, Setting, unmirrored
from dd_jax.evaluation.protocols.mtt import step_size

_COURSE = dc.Course(step_size, batch=128)


def datm(setting: Setting) -> Protocol:
  """The protocol of DATM (arXiv 2310.05773).

  As `mtt` in batches of 128: 1,001 epochs with DSA at the learned step size, a
  tenth of it and a fresh momentum from the middle on, cross-entropy with the
  soft labels that were learned.
  """
  name = unmirrored('datm', True, setting)
  return dc.trained(name, setting, dsa.augmentation(setting.mirrors), _COURSE)
