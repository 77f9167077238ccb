r"""Trajectory matching: train on the set, arrive where real data would lead.

A student starts from an expert's parameters :math:`\theta^*_t`, takes `N` steps
on the support set, and is to end where the expert was `M` epochs later,

.. math:: L = \| \hat\theta_{t+N} - \theta^*_{t+M} \|^2 /
              \| \theta^*_t - \theta^*_{t+M} \|^2 ,

differentiated through all `N` steps in the images, the labels and the step size
(Cazenavette et al., arXiv 2203.11932). The gradient is exact, and only the
parameters of each step are held (`unroll`, plan `remat`). What `mtt`, `tesla`,
`ftd` and `datm` share.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from dd_jax.checks import check_least, check_name, check_positive
from dd_jax.data.source import Source
from dd_jax.distiller import (
  Context,
  Distiller,
  Gradient,
  Learned,
  Loss,
  State,
  from_loss,
  value_and_gradient,
)
from dd_jax.experts import Segments, experts_of, parameter_shapes, unflatten
from dd_jax.methods.segments import SegmentSampler
from dd_jax.methods.student import (
  StepSize,
  Student,
  learned_step_size,
  train_student,
)
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.training import train_many
from dd_jax.types import (
  DistilledData,
  Key,
  LabeledData,
  Metrics,
  PyTree,
  UserError,
)
from dd_jax.unroll import PLANS

Relabel = Callable[[PyTree, LabeledData], LabeledData]
"""`(parameters where the expert arrives, support set) -> support set`."""


def trajectory_distance(
  end: PyTree, start: PyTree, target: PyTree
) -> jax.Array:
  """How far from the target, relative to where the expert set out: a scalar."""
  square = lambda a, b: optax.tree.norm(
    jax.tree.map(jnp.subtract, a, b), squared=True
  )
  return square(end, target) / square(start, target)


def matching_loss(student: Student, relabel: Relabel | None = None) -> Loss:
  """The mean over segments of `trajectory_distance`.

  Args:
    student: how students train.
    relabel: what the support set is to each student; by default itself.
  """
  shapes = parameter_shapes(student.network)

  def loss(
    learned: Learned, batch: Segments, context: Context
  ) -> tuple[jax.Array, Metrics]:
    step_size = learned_step_size(learned)

    def one(args: tuple[Key, jax.Array, jax.Array]) -> jax.Array:
      key, start, target = args[0], *(unflatten(shapes, a) for a in args[1:])
      data = relabel(target, learned.data) if relabel else learned.data
      end = train_student(student, key, start, data, step_size)
      return trajectory_distance(end, start, target)

    keys = jax.random.split(context.key, len(batch.epoch))
    seen = keys, batch.start, batch.target
    distances = train_many(one, seen, student.network.runs_on)
    metrics = {
      'step_size': step_size,
      'start_epoch': jnp.mean(batch.epoch.astype(jnp.float32)),
    }
    return jnp.mean(distances), metrics

  return loss


def trajectory_matching(
  parameterization: Parameterization,
  optimizer: optax.GradientTransformation,
  student: Student,
  segments: SegmentSampler,
  step_size: StepSize,
  *,
  relabel: Relabel | None = None,
  average: float = 0.0,
  gradient: Gradient = value_and_gradient,
) -> Distiller:
  """The method, but for its settings.

  Args:
    parameterization: of the support set.
    optimizer: moves it.
    student: how students train.
    segments: which segments they are compared with.
    step_size: the student's.
    relabel: see `matching_loss`.
    average: see `from_loss`.
    gradient: see `from_loss`.

  Raises:
    UserError: a setting is out of range; of `init`, that the source has no
      experts, or those of another network.
  """
  _check(student, segments, step_size)
  base = from_loss(
    parameterization,
    optimizer,
    matching_loss(student, relabel),
    sample=segments.sample,
    extra=step_size.extra(),
    extra_optimizer=step_size.optimizer(),
    average=average,
    gradient=gradient,
    deliver=lambda learned: DistilledData(
      *learned.data, step_size=learned_step_size(learned)
    ),
  )

  def init(key: Key, source: Source) -> State:
    check_experts(student.network, source)
    return base.init(key, source)

  return base._replace(init=init)


def check_experts(network: Network, source: Source) -> None:
  """Refuses experts of another network.

  Raises:
    UserError: naming both numbers of parameters.
  """
  held = experts_of(source).parameters
  shapes = jax.tree.leaves(parameter_shapes(network))
  wanted = sum(leaf.size for leaf in shapes)
  if held != wanted:
    raise UserError(
      f'experts: have {held:,} parameters each, and the network has {wanted:,}'
    )


def _check(
  student: Student, segments: SegmentSampler, step_size: StepSize
) -> None:
  check_name('plan', student.plan, PLANS)
  check_least(
    1,
    inner_steps=student.num_steps,
    expert_epochs=segments.length,
    segments=segments.num_segments,
  )
  stop = segments.stop_at(jnp.int32(0))
  if not segments.first < stop:
    raise UserError(
      f'max_start={stop}: must be above {segments.first}, the first start'
    )
  check_positive(step_size=step_size.start)
  check_least(0, step_size_rate=step_size.rate)
