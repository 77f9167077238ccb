r"""Students: gradient descent on the support set at a learned step size.

.. math:: \hat\theta_{t+i+1} = \hat\theta_{t+i}
          - \alpha \nabla_\theta \ell(\hat\theta_{t+i}; S_i)

from an expert's parameters, differentiable in the images, the labels and
:math:`\alpha`. What trajectory matching trains (Cazenavette et al., arXiv
2203.11932).
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from dd_jax.derivatives import held
from dd_jax.distiller import Learned
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import Network
from dd_jax.training import batch_gradient, epochs
from dd_jax.types import Augment, Key, LabeledData, PyTree
from dd_jax.unroll import unroll


class Student(NamedTuple):
  """How a student trains on the support set: gradient descent, no momentum.

  Attributes:
    network: its architecture, which is the experts'.
    num_steps: N.
    batch_size: support images a step; None for all.
    augment: of each batch, or None.
    plan: of the unroll's memory.
    exact: whether an inner gradient is differentiated in the parameters that it
      was taken at, too; where it is not, this is TESLA.
  """

  network: Network
  num_steps: int
  batch_size: int | None = None
  augment: Augment | None = None
  plan: str = 'remat'
  exact: bool = True


class StepSize(NamedTuple):
  """The student's learned step size, the exponential of what is learned.

  Attributes:
    start: its start value.
    rate: at which the published methods move it by gradient descent; of its
      logarithm this is `rate / start**2`, which at the start moves it alike.
    momentum: of that descent.
  """

  start: float
  rate: float
  momentum: float = 0.5

  def extra(self) -> dict[str, float]:
    """What is learned."""
    return {'log_step_size': math.log(self.start)}

  def optimizer(self) -> optax.GradientTransformation:
    """Moves it."""
    if not self.rate:
      return optax.set_to_zero()
    return optax.sgd(self.rate / self.start**2, self.momentum)


def learned_step_size(learned: Learned) -> jax.Array:
  """The student's step size, a scalar."""
  return jnp.exp(learned.extra['log_step_size'])


def train_student(
  student: Student,
  key: Key,
  params: PyTree,
  data: LabeledData,
  step_size: jax.Array,
) -> PyTree:
  """The student's parameters after its steps; differentiable.

  Args:
    student: how it trains.
    key: of the order of images and their augmentation.
    params: where it starts.
    data: the support set.
    step_size: a scalar.
  """
  size = data.image.shape[0]
  batches, _ = epochs(key, data, student.batch_size or size, student.augment)
  seen = (lambda params: params) if student.exact else held

  def step(i: jax.Array, params: PyTree) -> PyTree:
    gradient, _ = batch_gradient(
      student.network, soft_cross_entropy, {'params': seen(params)}, batches(i)
    )
    moved = lambda p, g: (p - step_size * g).astype(p.dtype)
    return jax.tree.map(moved, params, gradient)

  return unroll(step, params, student.num_steps, plan=student.plan)
