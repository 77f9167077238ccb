r"""FTD: flat trajectory distillation (arXiv 2211.11004).

MTT's loss (`mtt`), on experts that a sharpness-aware optimiser leads into flat
minima (`experts.flat`); what is delivered is the moving average of the set,

.. math:: \bar S \leftarrow \beta \bar S + (1 - \beta) S .
"""

import optax

from dd_jax.distiller import Distiller
from dd_jax.methods import mtt
from dd_jax.methods.method import Method
from dd_jax.methods.segments import SegmentSampler
from dd_jax.methods.student import StepSize, Student
from dd_jax.methods.trajectory_matching import trajectory_matching
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.types import Augment


def ftd(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  inner_augment: Augment | None = None,
  *,
  inner_steps: int = 50,
  expert_epochs: int = 2,
  max_start: int = 2,
  support_batch: int | None = None,
  step_size: float = 0.01,
  step_size_rate: float = 1e-7,
  segments: int = 1,
  average: float = 0.9999,
  plan: str = 'remat',
) -> Distiller:
  """Flat trajectory distillation: `mtt` with flat experts and an average.

  The experts' `rho` and `alpha` are settings of `config.experts`. The moving
  average is what is delivered, validated and scored, always on fresh networks.

  The other arguments are those of `mtt`.

  Args:
    average: decay of the moving average of the set.

  Raises:
    UserError: see `trajectory_matching`.
  """
  return trajectory_matching(
    parameterization,
    optimizer,
    Student(network, inner_steps, support_batch, inner_augment, plan),
    SegmentSampler(segments, expert_epochs, max_start),
    StepSize(step_size, step_size_rate),
    average=average,
  )


RECIPE = {
  **mtt.RECIPE,
  'experts': {**mtt.RECIPE['experts'], 'rho': 0.01, 'alpha': 0.3},
}
"""The published settings."""

METHOD = Method(
  ftd, RECIPE, 'trajectory matching, flat experts (arXiv 2211.11004)'
)
