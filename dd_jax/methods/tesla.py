r"""TESLA: trajectory matching by an approximate gradient (arXiv 2211.10586).

MTT's loss (`mtt`), whose gradient is taken as if the parameters of an inner
step did not depend on the images of the steps before,

.. math:: \frac{\partial \hat\theta_{t+N}}{\partial S} \approx - \alpha \sum_i
          \frac{\partial}{\partial S} \nabla_\theta \ell(\hat\theta_{t+i}; S_i)

with :math:`\hat\theta_{t+i}` held fixed; and labels may be soft.
"""

import functools

import jax
import jax.numpy as jnp
import optax

from dd_jax.data.source import Source
from dd_jax.derivatives import held
from dd_jax.distiller import Distiller, State
from dd_jax.experts import Segments, parameter_shapes, unflatten
from dd_jax.methods import mtt
from dd_jax.methods.method import Method
from dd_jax.methods.segments import SegmentSampler
from dd_jax.methods.student import StepSize, Student
from dd_jax.methods.trajectory_matching import trajectory_matching
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.types import (
  Augment,
  DistilledData,
  Key,
  LabeledData,
  Metrics,
  PyTree,
)


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

  Raises:
    UserError: see `trajectory_matching`.
  """
  student = Student(
    network, inner_steps, support_batch, inner_augment, exact=False
  )
  base = trajectory_matching(
    parameterization,
    optimizer,
    student,
    SegmentSampler(segments, expert_epochs, max_start),
    StepSize(step_size, step_size_rate),
    relabel=functools.partial(_relabel, network) if soft_labels else None,
  )
  return _with_last_labels(base, network) if soft_labels else base


def _relabel(
  network: Network, params: PyTree, data: LabeledData
) -> LabeledData:
  """The images, with what a network says of them as fixed labels."""
  return data._replace(label=held(_said(network, params, data)))


def _said(network: Network, params: PyTree, data: LabeledData) -> jax.Array:
  """What a network says of the images: probabilities `[m, k]`."""
  logits = network.apply({'params': params}, data.image)[0].logits
  return jax.nn.softmax(logits)


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
    label = _said(network, target, data)
    state, metrics = base.update(key, step, state._replace(models=()), batch)
    return state._replace(models=label), metrics

  def distilled(state: State) -> DistilledData:
    return base.distilled(state)._replace(label=state.models)

  return Distiller(init, base.sample, update, distilled)


RECIPE = {**mtt.RECIPE, 'num_steps': 10_000}
"""The published settings."""

METHOD = Method(
  tesla,
  RECIPE,
  'trajectory matching, approximate gradient (arXiv 2211.10586)',
)
