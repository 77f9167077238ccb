r"""MTT: matching training trajectories (arXiv 2203.11932).

A student that takes `N` steps on the support set from an expert's parameters
:math:`\theta^*_t` is to end where the expert was `M` epochs later,

.. math:: L = \| \hat\theta_{t+N} - \theta^*_{t+M} \|^2 /
              \| \theta^*_t - \theta^*_{t+M} \|^2 ,

differentiated exactly through all `N` steps.
"""

from typing import Any

import optax

from dd_jax.augment import DSA
from dd_jax.distiller import Distiller
from dd_jax.methods.method import Method
from dd_jax.methods.segments import SegmentSampler
from dd_jax.methods.student import StepSize, Student
from dd_jax.methods.trajectory_matching import trajectory_matching
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.types import Augment


def mtt(
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
  step_size_momentum: float = 0.5,
  segments: int = 1,
  plan: str = 'remat',
) -> Distiller:
  """Matching training trajectories, exactly.

  Args:
    parameterization: of the support set; labels fixed in the paper.
    network: the experts' and the students'.
    optimizer: the paper's is SGD with momentum 0.5, at 100 to 10,000.
    inner_augment: of the student's batches, its own draw for each image.
    inner_steps: N, the student's.
    expert_epochs: M, how far ahead the expert is.
    max_start: segments start from the epochs below this one.
    support_batch: support images in one inner step; 0 for all.
    step_size: the student's, at the start; learned.
    step_size_rate: the published rate of its descent, see `StepSize`.
    step_size_momentum: of that descent.
    segments: matched in one outer step.
    plan: of the unroll's memory, one of `unroll.PLANS`.

  Raises:
    UserError: see `trajectory_matching`.
  """
  return trajectory_matching(
    parameterization,
    optimizer,
    Student(network, inner_steps, support_batch, inner_augment, plan),
    SegmentSampler(segments, expert_epochs, max_start),
    StepSize(step_size, step_size_rate, step_size_momentum),
  )


RECIPE: dict[str, Any] = {
  'preprocessing': 'kornia',
  'augment': DSA,
  'parameterization': {'labels': 'fixed'},
  'optimizer': {'name': 'sgd', 'learning_rate': 100.0, 'momentum': 0.5},
  'num_steps': 5000,
  'validate_every': 500,
  'experts': {
    'count': 100,
    'epochs': 0,  # of 50, those that are read: the same numbers
    'batch_size': 256,
    'step_size': 0.01,
    'augment': DSA,
  },
  'evaluation': {'protocol': 'mtt', 'others': ('dc',)},
}
"""The published settings on CIFAR-10 at 1 image per class."""

METHOD = Method(
  mtt, RECIPE, 'trajectory matching, exact gradient (arXiv 2203.11932)'
)
