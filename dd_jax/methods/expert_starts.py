"""Sets that start from experts: images that they get right, and their labels.

What DATM starts from (arXiv 2310.05773).
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.data.by_class import class_members, numpy_generator
from dd_jax.data.source import Source
from dd_jax.distiller import Distiller, State
from dd_jax.experts import experts_of, parameter_shapes, unflatten
from dd_jax.networks import Network
from dd_jax.types import Key, LabeledData, UserError

_LOOK = 64  # images looked at together; also right ones that are enough


@dataclasses.dataclass(frozen=True)
class RestrictedSource:
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
    found.append(_predicted(order, c, source, predict, max(4 * ipc, _LOOK)))
    if len(found[-1]) < ipc:
      raise UserError(
        f'ipc={ipc}: an expert gets only {len(found[-1])} images of class {c} '
        'right: train experts longer (experts.epochs), or set '
        'method.expert_labels=False'
      )
  count = np.array([len(f) for f in found], np.int32)
  table = np.stack([np.resize(f, count.max()) for f in found])
  return RestrictedSource(
    source, jnp.asarray(table, jnp.int32), jnp.asarray(count)
  )


def _predicted(
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


def with_expert_labels(
  base: Distiller, network: Network, state: State, source: Source
) -> State:
  """The state, its labels those of the experts; none right: as they are.

  Args:
    base: the method whose state it is.
    network: the experts'.
    state: labels are logits.
    source: with experts beside real examples.

  Raises:
    UserError: labels are not learned, or are no logits.
  """
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
  label = _shared_logits(logits, count, held)
  params = {**state.params, 'data': {**learned, 'label': label}}
  state = state._replace(params=params)
  expected = jnp.repeat(jax.nn.softmax(label), len(logits) // len(label), 0)
  if not np.allclose(base.distilled(state).label, expected):
    raise UserError(
      "parameterization.labels: experts give logits; use 'logits', or "
      'method.expert_labels=False'
    )
  return state


def _shared_logits(
  logits: jax.Array, count: jax.Array, held: jax.Array
) -> jax.Array:
  """One label for all images that are decoded from one stored image.

  Args:
    logits: of every image, `[n, k]`.
    count: how many experts they are of, `[n]`.
    held: where there are none, `[m, k]`, of every stored image.
  """
  share = len(logits) // len(held)
  seen = count.reshape(-1, share, 1)
  total = jnp.sum(logits.reshape(*seen.shape[:2], -1) * seen, 1)
  mean = total / jnp.maximum(jnp.sum(seen, 1), 1)
  return jnp.where(jnp.sum(seen, 1) > 0, mean, held).astype(held.dtype)
