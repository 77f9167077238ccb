"""Networks trained on the real training split, paid for once."""

import io
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dd_jax.cache import Cache
from dd_jax.data import sampling
from dd_jax.data.source import HostSource, Source
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import Network
from dd_jax.training import Batch, Model, fresh_model, train, train_step
from dd_jax.types import Key, LabeledData, PyTree

BATCH, STEP_SIZE = 128, 1e-3
_MAX_STEPS = 1500
_SPAN = 10  # steps between two reports


def usual_steps(source: Source) -> int:
  """Three epochs, but at most 1,500 steps."""
  return min(_MAX_STEPS, 3 * -(-len(source) // BATCH))


class Course(NamedTuple):
  """How a network is trained on real data: by Adam with a cosine decay.

  Attributes:
    steps: in batches of 128, from a step size of 1e-3.
    key: decides its initialisation and batches.
    report: told `(done, total)` steps now and then.
  """

  steps: int
  key: Key
  report: Callable[[int, int], None] = lambda done, total: None


def trained_on_real(
  network: Network,
  source: Source,
  course: Course,
  cache: Cache,
  name: Mapping[str, Any],
) -> PyTree:
  """Trains `network` on real data, or finds it in the cache.

  Args:
    network: the learner.
    source: the training split.
    course: how.
    cache: where its variables are kept.
    name: all that they depend on.

  Returns:
    The variables.
  """
  shapes = jax.eval_shape(network.init, course.key)
  content = cache.get(name)
  variables = _unpack(content, shapes) if content else None
  if variables is None:
    variables = _trained(network, source, course)
    cache.put(name, _pack(variables))
  return variables


def _trained(network: Network, source: Source, course: Course) -> PyTree:
  decay = optax.cosine_decay_schedule(STEP_SIZE, course.steps)
  optimizer = optax.adam(decay)
  k_init, k_data = jax.random.split(course.key)

  def step(model: Model, batch: Batch) -> Model:
    return train_step(network, optimizer, soft_cross_entropy, model, batch)

  def draw(i: jax.Array, source: Source) -> LabeledData:
    key = jax.random.fold_in(k_data, i)
    return sampling.uniform(key, source, BATCH)

  @jax.jit
  def span(model: Model, source: Source, count: int) -> Model:
    first = model.age
    return train(step, model, lambda i: _whole(draw(first + i, source)), count)

  one = jax.jit(step)

  def hosted(model: Model, source: Source, count: int) -> Model:
    for _ in range(count):
      model = one(model, _whole(draw(model.age, source)))
    return model

  advance = hosted if isinstance(source, HostSource) else span
  model = jax.jit(lambda k: fresh_model(network, optimizer, k))(k_init)
  for done in range(0, course.steps, _SPAN):
    course.report(done, course.steps)
    count = min(_SPAN, course.steps - done)
    model = jax.block_until_ready(advance(model, source, count))
  course.report(course.steps, course.steps)
  return model.variables


def _whole(data: LabeledData) -> Batch:
  return Batch(data, jnp.ones(BATCH))


def _pack(variables: PyTree) -> bytes:
  buffer = io.BytesIO()
  leaves = [np.asarray(a) for a in jax.tree.leaves(variables)]
  np.savez(buffer, *leaves)
  return buffer.getvalue()


def _unpack(content: bytes, shapes: PyTree) -> PyTree | None:
  """The variables, or None where they are damaged or of other shapes."""
  try:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
      leaves = [file[f'arr_{i}'] for i in range(len(file.files))]
  except Exception:
    return None
  expected = jax.tree.leaves(shapes)
  if [a.shape for a in leaves] != [a.shape for a in expected]:
    return None
  return jax.tree.unflatten(jax.tree.structure(shapes), leaves)
