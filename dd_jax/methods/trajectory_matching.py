r"""Trajectory matching: train on the set, arrive where real data would lead.

A student starts from an expert's parameters :math:`\theta^*_t`, takes `N` steps
on the support set, and is to end where the expert was `M` epochs later,

.. math:: L = \| \hat\theta_{t+N} - \theta^*_{t+M} \|^2 /
              \| \theta^*_t - \theta^*_{t+M} \|^2 ,

differentiated through all `N` steps in the images, the labels and the step size
(Cazenavette et al., arXiv 2203.11932). The gradient is exact, and only the
parameters of each step are held (`unroll`, plan `remat`).

| method | differs by | source |
|---|---|---|
| `mtt` | | arXiv 2203.11932 |
| `tesla` | an approximate gradient | arXiv 2211.10586 |
| `ftd` | experts in flat minima, a moving average | arXiv 2211.11004 |
| `datm` (`datm.py`) | which segments, learned soft labels | arXiv 2310.05773 |
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from dd_jax.checks import check_least, check_name, check_positive
from dd_jax.data.source import Source
from dd_jax.distiller import (
  Context,
  Decode,
  Distiller,
  Gradient,
  Learned,
  Loss,
  State,
  from_loss,
  value_and_gradient,
)
from dd_jax.experts import Segments, experts_of, parameter_shapes, unflatten
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.training import batch_gradient, epochs, train_many
from dd_jax.types import (
  Augment,
  DistilledData,
  Key,
  LabeledData,
  Metrics,
  PyTree,
  UserError,
)
from dd_jax.unroll import PLANS, unroll

_STEP_SIZE_MOMENTUM = 0.5
_DSA = 'color_crop_cutout_flip_scale_rotate'


class Student(NamedTuple):
  """How a student trains on the support set: gradient descent, no momentum.

  Attributes:
    network: its architecture, which is the experts'.
    num_steps: N.
    batch_size: support images a step; None for all.
    augment: of each batch, or None.
    plan: of the unroll's memory.
    seen: what of the parameters an inner gradient depends on: the identity, or
      `stop_gradient`, which makes TESLA of it.
  """

  network: Network
  num_steps: int
  batch_size: int | None = None
  augment: Augment | None = None
  plan: str = 'remat'
  seen: Callable[[PyTree], PyTree] = lambda params: params


class Draw(NamedTuple):
  """Which segments are matched.

  Attributes:
    segments: matched in a step.
    length: M, in epochs.
    first: the earliest start.
    stop: `(step) -> int`: the first epoch that none starts from.
  """

  segments: int
  length: int
  first: int
  stop: Callable[[jax.Array], jax.Array | int]

  def sample(self, key: Key, step: jax.Array, source: Source) -> Segments:
    """Draws experts and starts uniformly."""
    experts = experts_of(source)
    k_expert, k_epoch = jax.random.split(key)
    shape = (self.segments,)
    expert = jax.random.randint(k_expert, shape, 0, experts.count)
    epoch = jax.random.randint(k_epoch, shape, self.first, self.stop(step))
    drawn: Segments = experts.take(expert, epoch, epoch + self.length)
    return drawn


class StepSize(NamedTuple):
  """The student's learned step size, the exponential of what is learned.

  Attributes:
    start: its start value.
    rate: at which the published methods move it by gradient descent; of its
      logarithm this is `rate / start**2`, which at the start moves it alike.
  """

  start: float
  rate: float

  def extra(self) -> dict[str, float]:
    """What is learned."""
    return {'log_step_size': math.log(self.start)}

  def optimizer(self) -> optax.GradientTransformation:
    """Moves it."""
    if not self.rate:
      return optax.set_to_zero()
    return optax.sgd(self.rate / self.start**2, _STEP_SIZE_MOMENTUM)


def learned_step_size(learned: Learned) -> jax.Array:
  """The student's step size."""
  return jnp.exp(learned.extra['log_step_size'])


def arrive(
  student: Student, key: Key, start: PyTree, data: LabeledData, rate: jax.Array
) -> PyTree:
  """The student's parameters after its steps; differentiable.

  Args:
    student: how it trains.
    key: of the order of images and their augmentation.
    start: parameters.
    data: the support set.
    rate: step size.
  """
  size = data.image.shape[0]
  batches, _ = epochs(key, data, student.batch_size or size, student.augment)

  def step(i: jax.Array, params: PyTree) -> PyTree:
    variables = {'params': student.seen(params)}
    gradient, _ = batch_gradient(
      student.network, soft_cross_entropy, variables, batches(i)
    )
    return jax.tree.map(lambda p, g: p - rate * g, params, gradient)

  return unroll(step, start, student.num_steps, plan=student.plan)


def trajectory_distance(
  end: PyTree, start: PyTree, target: PyTree
) -> jax.Array:
  """How far from the target, relative to where the expert set out: a scalar."""
  square = lambda a, b: optax.tree.norm(
    jax.tree.map(jnp.subtract, a, b), squared=True
  )
  return square(end, target) / square(start, target)


def matching_loss(
  student: Student,
  relabel: Callable[[PyTree, LabeledData], LabeledData] | None = None,
) -> Loss:
  """The mean over segments of `trajectory_distance`.

  Args:
    student: how students train.
    relabel: `(target parameters, data) -> data`, or None.
  """
  shapes = parameter_shapes(student.network)

  def loss(
    learned: Learned, batch: Segments, context: Context
  ) -> tuple[jax.Array, Metrics]:
    rate = learned_step_size(learned)

    def one(args: tuple[Key, jax.Array, jax.Array]) -> jax.Array:
      key, start, target = args[0], *(unflatten(shapes, a) for a in args[1:])
      data = relabel(target, learned.data) if relabel else learned.data
      end = arrive(student, key, start, data, rate)
      return trajectory_distance(end, start, target)

    keys = jax.random.split(context.key, len(batch.epoch))
    seen = keys, batch.start, batch.target
    distances = train_many(one, seen, student.network.runs_on)
    metrics = {
      'step_size': rate,
      'start_epoch': jnp.mean(batch.epoch.astype(jnp.float32)),
    }
    return jnp.mean(distances), metrics

  return loss


def skip_above(threshold: float) -> Gradient:
  """The gradient, but zero where the loss is above `threshold`; 0 for never."""
  if not threshold:
    return value_and_gradient

  def gradient(
    loss: Loss, decode: Decode, params: PyTree, batch: PyTree, context: Context
  ) -> tuple[tuple[jax.Array, Metrics], PyTree]:
    (value, metrics), change = value_and_gradient(
      loss, decode, params, batch, context
    )
    skipped = value > threshold
    change = jax.tree.map(lambda g: jnp.where(skipped, 0, g), change)
    metrics = {**metrics, 'skipped': skipped.astype(jnp.float32)}
    return (value, metrics), change

  return gradient


def deliver(learned: Learned) -> DistilledData:
  """The set and the step size that goes with it."""
  return DistilledData(*learned.data, step_size=learned_step_size(learned))


def matching(
  parameterization: Parameterization,
  optimizer: optax.GradientTransformation,
  student: Student,
  draw: Draw,
  rate: StepSize,
  *,
  relabel: Callable[[PyTree, LabeledData], LabeledData] | None = None,
  average: float = 0.0,
  threshold: float = 0.0,
) -> Distiller:
  """What all methods of this file are made of.

  Args:
    parameterization: of the support set.
    optimizer: moves it.
    student: how students train.
    draw: which segments they are compared with.
    rate: of the student's step size.
    relabel: see `matching_loss`.
    average: decay of the moving average that is delivered; 0 for none.
    threshold: see `skip_above`.

  Raises:
    UserError: a setting is out of range.
  """
  _check(student, draw, rate)
  base = from_loss(
    parameterization,
    optimizer,
    matching_loss(student, relabel),
    sample=draw.sample,
    extra=rate.extra(),
    extra_optimizer=rate.optimizer(),
    average=average,
    gradient=skip_above(threshold),
    deliver=deliver,
  )

  def init(key: Key, source: Source) -> State:
    check_experts(student.network, source)
    return base.init(key, source)

  return base._replace(init=init)


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
    segments: matched in one outer step.
    plan: of the unroll's memory, one of `unroll.PLANS`.
  """
  student = Student(network, inner_steps, support_batch, inner_augment, plan)
  draw = Draw(segments, expert_epochs, 0, lambda step: max_start)
  rate = StepSize(step_size, step_size_rate)
  return matching(parameterization, optimizer, student, draw, rate)


def tesla(
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
  soft_labels: bool = False,
) -> Distiller:
  """TESLA: trajectory matching by an approximate gradient.

  Each inner gradient is differentiated where it was taken, as if its parameters
  did not depend on the images of the steps before. That is not the gradient of
  the loss (`mtt` has it in the same memory); it is here for comparison. The
  published code also loses a factor of two: half its rates do the same here.

  The other arguments are those of `mtt`.

  Args:
    soft_labels: in every step the labels are what the segment's target network
      says of the images; the last step's are delivered.
  """
  student = Student(
    network,
    inner_steps,
    support_batch,
    inner_augment,
    seen=jax.lax.stop_gradient,
  )
  draw = Draw(segments, expert_epochs, 0, lambda step: max_start)
  rate = StepSize(step_size, step_size_rate)
  relabel = functools.partial(_relabelled, network) if soft_labels else None
  base = matching(
    parameterization, optimizer, student, draw, rate, relabel=relabel
  )
  return _with_last_labels(base, network) if soft_labels else base


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
  """
  student = Student(network, inner_steps, support_batch, inner_augment, plan)
  draw = Draw(segments, expert_epochs, 0, lambda step: max_start)
  rate = StepSize(step_size, step_size_rate)
  return matching(
    parameterization, optimizer, student, draw, rate, average=average
  )


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


def _relabelled(
  network: Network, params: PyTree, data: LabeledData
) -> LabeledData:
  """The images, with what a network says of them as labels."""
  logits = network.apply({'params': params}, data.image)[0].logits
  return data._replace(label=jax.lax.stop_gradient(jax.nn.softmax(logits)))


def _with_last_labels(base: Distiller, network: Network) -> Distiller:
  """Keeps the labels of the last step where a pool would lie, to deliver."""
  shapes = parameter_shapes(network)

  def init(key: Key, source: Source) -> State:
    state = base.init(key, source)
    return state._replace(models=jnp.array(base.distilled(state).label))

  def update(
    key: Key, step: jax.Array, state: State, batch: Segments
  ) -> tuple[State, Metrics]:
    data = LabeledData(*base.distilled(state)[:2])
    target = unflatten(shapes, batch.target[-1])
    label = _relabelled(network, target, data).label
    state, metrics = base.update(key, step, state._replace(models=()), batch)
    return state._replace(models=label), metrics

  def distilled(state: State) -> DistilledData:
    return base.distilled(state)._replace(label=state.models)

  return Distiller(init, base.sample, update, distilled)


def _check(student: Student, draw: Draw, rate: StepSize) -> None:
  check_name('plan', student.plan, PLANS)
  check_least(
    1,
    inner_steps=student.num_steps,
    expert_epochs=draw.length,
    segments=draw.segments,
  )
  if not draw.first < draw.stop(jnp.int32(0)):
    raise UserError(
      f'max_start={draw.stop(jnp.int32(0))}: must be above {draw.first}, the '
      'first start'
    )
  check_positive(step_size=rate.start)
  check_least(0, step_size_rate=rate.rate)


RECIPE: dict[str, Any] = {
  'preprocessing': 'kornia',
  'augment': _DSA,
  'parameterization': {'labels': 'fixed'},
  'optimizer': {'name': 'sgd', 'learning_rate': 100.0, 'momentum': 0.5},
  'num_steps': 5000,
  'validate_every': 500,
  'experts': {
    'count': 100,
    'epochs': 0,  # of 50, those that are read: the same numbers
    'batch_size': 256,
    'step_size': 0.01,
    'augment': _DSA,
  },
  'evaluation': {'protocol': 'mtt', 'others': ('dc',)},
}
"""The published settings on CIFAR-10 at 1 image per class."""

TESLA_RECIPE = {**RECIPE, 'num_steps': 10_000}
"""The published settings."""

FTD_RECIPE = {
  **RECIPE,
  'experts': {**RECIPE['experts'], 'rho': 0.01, 'alpha': 0.3},
}
"""The published settings."""
