"""DATM: trajectories as hard as the set is large (arXiv 2310.05773).

Trajectory matching (`trajectory_matching.py`) with three changes: the window
that segments start from widens with the outer step, from easy epochs to hard
ones; soft labels are learned, as logits; and both images and labels start from
experts: real images that one gets right, and what those say of them that are
right.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dd_jax.data.by_class import class_members, numpy_generator
from dd_jax.data.source import Source
from dd_jax.distiller import Distiller, State
from dd_jax.experts import experts_of, parameter_shapes, unflatten
from dd_jax.methods.trajectory_matching import (
  RECIPE as MTT_RECIPE,
)
from dd_jax.methods.trajectory_matching import (
  Draw,
  StepSize,
  Student,
  check_experts,
  matching,
)
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.types import Augment, Key, LabeledData, UserError

_LABEL_MOMENTUM = 0.9
_LOOK = 64  # images looked at together; also right ones that are enough


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

  Args:
    parameterization: of the support set; labels as logits.
    network: the experts' and the students'.
    optimizer: of what is no label; the paper's is SGD with momentum 0.5.
    inner_augment: of the student's batches, its own draw for each image.
    ipc: images per class, of which an expert must get as many right.
    inner_steps: N, the student's.
    expert_epochs: M, how far ahead the expert is.
    min_start: segments start from this epoch on.
    max_start: and below this one, in the end.
    first_stop: below this one at the beginning; 0 for `max_start`.
    widen_steps: outer steps from the one to the other.
    support_batch: support images in one inner step; 0 for all.
    step_size: the student's, at the start; learned.
    step_size_rate: the published rate of its descent, see `StepSize`.
    label_rate: SGD's rate of the labels, momentum 0.9.
    expert_labels: images and labels start from the trained experts, which the
      store must hold; otherwise as the parameterization has them.
    segments: matched in one outer step.
    threshold: a step whose loss is above it is skipped; 0 for none.
    plan: of the unroll's memory, one of `unroll.PLANS`.

  Raises:
    UserError: a setting is out of range.
  """
  stop = _widening(first_stop or max_start, max_start, widen_steps)
  base = matching(
    parameterization,
    _label_apart(optimizer, optax.sgd(label_rate, _LABEL_MOMENTUM)),
    Student(network, inner_steps, support_batch, inner_augment, plan),
    Draw(segments, expert_epochs, min_start, stop),
    StepSize(step_size, step_size_rate),
    threshold=threshold,
  )
  if not expert_labels:
    return base

  def init(key: Key, source: Source) -> State:
    check_experts(network, source)
    k_right, k_base = jax.random.split(key)
    state = base.init(k_base, right_images(k_right, network, source, ipc))
    return _with_expert_labels(base, network, state, source)

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


@dataclasses.dataclass(frozen=True)
class _Restricted:
  """A source of which only some examples are listed by class."""

  whole: Any
  class_table: jax.Array
  class_count: jax.Array

  def __len__(self) -> int:
    return len(self.whole)

  def __getattr__(self, name: str) -> Any:
    return getattr(self.whole, name)


def right_images(key: Key, network: Network, source: Source, ipc: int) -> Any:
  """The source with only such images listed as an expert gets right.

  Classes are searched in random order, for `4 ipc` right images or 64.

  Args:
    key: decides the order and the expert.
    network: the experts'.
    source: with experts beside real examples.
    ipc: images that each class needs.

  Raises:
    UserError: a class has fewer right images.
  """
  k_order, k_expert = jax.random.split(key)
  experts = experts_of(source).last()
  chosen = jax.random.randint(k_expert, (), 0, len(experts))
  rng, predict = numpy_generator(k_order), _predictor(network, experts[chosen])
  found = []
  for c, members in enumerate(class_members(source)):
    order = rng.permutation(members)
    found.append(_right(order, c, source, predict, max(4 * ipc, _LOOK)))
    if len(found[-1]) < ipc:
      raise UserError(
        f'ipc={ipc}: an expert gets only {len(found[-1])} images of class {c} '
        'right: train experts longer (experts.epochs), or set '
        'method.expert_labels=False'
      )
  count = np.array([len(f) for f in found], np.int32)
  table = np.stack([np.resize(f, count.max()) for f in found])
  return _Restricted(source, jnp.asarray(table, jnp.int32), jnp.asarray(count))


def _right(
  order: np.ndarray,
  label: int,
  source: Source,
  predict: Callable[[jax.Array], jax.Array],
  enough: int,
) -> np.ndarray:
  """The first `enough` of `order` that are predicted to be `label`."""
  found: list[int] = []
  for i in range(0, len(order), _LOOK):
    part = order[i : i + _LOOK]
    seen = source.take(jnp.asarray(np.resize(part, _LOOK))).image
    right = np.asarray(predict(seen).argmax(-1) == label)[: len(part)]
    found += part[right].tolist()
    if len(found) >= enough:
      break
  return np.array(found[:enough], np.int32)


def _predictor(
  network: Network, flat: jax.Array
) -> Callable[[jax.Array], jax.Array]:
  variables = {'params': unflatten(parameter_shapes(network), flat)}
  return jax.jit(lambda image: network.apply(variables, image)[0].logits)


def expert_logits(
  network: Network, experts: jax.Array, data: LabeledData
) -> tuple[jax.Array, jax.Array]:
  """What those experts say of an image that get it right, on average.

  Args:
    network: the experts'.
    experts: `[e, p]`.
    data: images and their classes, one-hot.

  Returns:
    `(logits [n, k], how many experts are right [n])`.
  """
  shapes = parameter_shapes(network)

  def one(flat: jax.Array) -> jax.Array:
    variables = {'params': unflatten(shapes, flat)}
    return network.apply(variables, data.image)[0].logits

  logits = jax.lax.map(one, experts)
  right = logits.argmax(-1) == data.label.argmax(-1)
  count = right.sum(0)
  total = jnp.sum(jnp.where(right[..., None], logits, 0), 0)
  return total / jnp.maximum(count, 1)[:, None], count


def _with_expert_labels(
  base: Distiller, network: Network, state: State, source: Source
) -> State:
  """The state, its labels those of the experts; none right: as they are."""
  learned = state.params['data']
  held = learned.get('label') if isinstance(learned, dict) else None
  if held is None:
    raise UserError(
      "parameterization.labels='fixed': datm learns soft labels; use 'logits', "
      'or method.expert_labels=False'
    )
  data = LabeledData(*base.distilled(state)[:2])
  logits, count = jax.jit(lambda e, d: expert_logits(network, e, d))(
    experts_of(source).last(), data
  )
  # Images that are decoded from one stored image share its label.
  share = len(logits) // len(held)
  seen = count.reshape(-1, share, 1)
  total = jnp.sum(logits.reshape(*seen.shape[:2], -1) * seen, 1)
  mean = total / jnp.maximum(jnp.sum(seen, 1), 1)
  label = jnp.where(jnp.sum(seen, 1) > 0, mean, held).astype(held.dtype)
  params = {**state.params, 'data': {**learned, 'label': label}}
  state = state._replace(params=params)
  expected = jnp.repeat(jax.nn.softmax(label), share, 0)
  if not np.allclose(base.distilled(state).label, expected):
    raise UserError(
      "parameterization.labels: experts give logits; use 'logits', or "
      'method.expert_labels=False'
    )
  return state


RECIPE: dict[str, Any] = {
  **MTT_RECIPE,
  'parameterization': {'labels': 'logits'},
  'num_steps': 10_000,
  'experts': {
    **MTT_RECIPE['experts'],
    'epochs': 100,
    'rho': 0.01,
    'alpha': 0.3,
  },
}
"""The published settings on CIFAR-10 at 1 image per class."""
