r"""DATM: trajectories as hard as the set is large (arXiv 2310.05773).

MTT's loss (`mtt`) with three changes: the window that segments start from,

.. math:: t_- \le t < \min(t_+, \; t_0 + (t_+ - t_0) \, i / I) ,

widens with the outer step :math:`i`, from easy epochs to hard ones; soft labels
are learned, as logits; and both images and labels start from experts: real
images that one gets right, and what those say of them that are right.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from dd_jax.data.source import Source
from dd_jax.distiller import (
  Context,
  Decode,
  Distiller,
  Gradient,
  Loss,
  State,
  value_and_gradient,
)
from dd_jax.methods import mtt
from dd_jax.methods.expert_starts import right_images, with_expert_labels
from dd_jax.methods.method import Method
from dd_jax.methods.segments import SegmentSampler
from dd_jax.methods.student import StepSize, Student
from dd_jax.methods.trajectory_matching import (
  check_experts,
  trajectory_matching,
)
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.types import Augment, Key, Metrics, PyTree, UserError

_LABEL_MOMENTUM = 0.9


def datm(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  inner_augment: Augment | None = None,
  ipc: int = 1,
  *,
  inner_steps: int = 80,
  expert_epochs: int = 2,
  min_start: int = 0,
  max_start: int = 4,
  first_stop: int = 0,
  widen_steps: int = 1000,
  support_batch: int | None = None,
  step_size: float = 0.01,
  step_size_rate: float = 1e-7,
  label_rate: float = 5.0,
  expert_labels: bool = True,
  segments: int = 1,
  threshold: float = 1.0,
  plan: str = 'remat',
) -> Distiller:
  """Difficulty-aligned trajectory matching.

  The other arguments are those of `mtt`.

  Args:
    parameterization: of the support set; labels as logits.
    optimizer: of what is no label; the paper's is SGD with momentum 0.5.
    ipc: images per class, of which an expert must get as many right.
    min_start: segments start from this epoch on.
    max_start: and below this one, in the end.
    first_stop: below this one at the beginning; 0 for `max_start`.
    widen_steps: outer steps from the one to the other.
    label_rate: SGD's rate of the labels, momentum 0.9.
    expert_labels: images and labels start from the trained experts, which the
      store must hold; otherwise as the parameterization has them.
    threshold: a step whose loss is above it is skipped; 0 for none.

  Raises:
    UserError: a setting is out of range, or, of `init`, the experts cannot give
      the images or the labels.
  """
  stop = _widening(first_stop or max_start, max_start, widen_steps)
  base = trajectory_matching(
    parameterization,
    _label_apart(optimizer, optax.sgd(label_rate, _LABEL_MOMENTUM)),
    Student(network, inner_steps, support_batch, inner_augment, plan),
    SegmentSampler(segments, expert_epochs, stop, min_start),
    StepSize(step_size, step_size_rate),
    gradient=_skip_above(threshold),
  )
  if not expert_labels:
    return base

  def init(key: Key, source: Source) -> State:
    check_experts(network, source)
    k_right, k_base = jax.random.split(key)
    state = base.init(k_base, right_images(k_right, network, source, ipc))
    return with_expert_labels(base, network, state, source)

  return base._replace(init=init)


def _widening(
  first: int, last: int, steps: int
) -> Callable[[jax.Array], jax.Array]:
  """The end of the window as a function of the outer step."""
  if first > last:
    raise UserError(f'first_stop={first}: must not be above max_start={last}')

  def stop(step: jax.Array) -> jax.Array:
    widened = first + (last - first) * step // max(1, steps)
    return jnp.minimum(last, widened)

  return stop


def _label_apart(
  optimizer: optax.GradientTransformation, label: optax.GradientTransformation
) -> optax.GradientTransformation:
  """Moves the leaves called `label` by an optimiser of their own."""

  def name(path: tuple[Any, ...], leaf: jax.Array) -> str:
    del leaf
    return 'label' if getattr(path[-1], 'key', '') == 'label' else 'other'

  names = functools.partial(jax.tree_util.tree_map_with_path, name)

  return optax.partition({'label': label, 'other': optimizer}, names)


def _skip_above(threshold: float) -> Gradient:
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


RECIPE = {
  **mtt.RECIPE,
  'parameterization': {'labels': 'logits'},
  'num_steps': 10_000,
  'experts': {
    **mtt.RECIPE['experts'],
    'epochs': 100,
    'rho': 0.01,
    'alpha': 0.3,
  },
  'evaluation': {'protocol': 'datm', 'others': ('dc',)},
}
"""The published settings on CIFAR-10 at 1 image per class."""

METHOD = Method(
  datm,
  RECIPE,
  'trajectory matching, difficulty and soft labels (arXiv 2310.05773)',
)
