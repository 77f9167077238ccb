"""Penultimate features of a network trained on the real training split."""

import io
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dd_jax.cache import Cache
from dd_jax.data import sampling
from dd_jax.data.source import HostSource, Source
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import Network
from dd_jax.training import (
  Batch,
  Model,
  fresh_model,
  map_chunks,
  train,
  train_step,
)
from dd_jax.types import Key, LabeledData, PyTree

_BATCH = 128
_STEP_SIZE = 1e-3
_MAX_STEPS = 1500


def trained_features(
  network: Network,
  key: Key,
  source: Source,
  cache: Cache,
  name: Mapping[str, Any],
) -> Callable[[jax.Array], jax.Array]:
  """Trains `network` on real data, or finds it in the cache.

  Adam at 1e-3 with a cosine decay, batches of 128, three epochs but at most
  1,500 steps.

  Args:
    network: the learner.
    key: decides its initialisation and batches.
    source: the training split.
    cache: where its parameters are kept.
    name: all that they depend on.

  Returns:
    `(image [n, h, w, c]) -> features [n, d]`.
  """
  shapes = jax.eval_shape(network.init, key)
  content = cache.get(name)
  variables = _unpack(content, shapes) if content else None
  if variables is None:
    variables = _trained(network, key, source)
    cache.put(name, _pack(variables))

  @jax.jit
  def features(variables: PyTree, image: jax.Array) -> jax.Array:
    return map_chunks(
      lambda x: network.apply(variables, x)[0].features,
      image,
      network.runs_on.pass_examples,
    )

  return lambda image: features(variables, image)


def _trained(network: Network, key: Key, source: Source) -> PyTree:
  num_steps = min(_MAX_STEPS, 3 * -(-len(source) // _BATCH))
  optimizer = optax.adam(optax.cosine_decay_schedule(_STEP_SIZE, num_steps))
  k_init, k_data = jax.random.split(key)

  def step(model: Model, batch: Batch) -> Model:
    return train_step(network, optimizer, soft_cross_entropy, model, batch)

  def draw(i: jax.Array, source: Source) -> LabeledData:
    key = jax.random.fold_in(k_data, i)
    return sampling.uniform(key, source, _BATCH)

  model = jax.jit(lambda k: fresh_model(network, optimizer, k))(k_init)
  if isinstance(source, HostSource):
    one = jax.jit(step)
    for i in range(num_steps):
      model = one(model, _whole(draw(jnp.asarray(i), source)))
    return model.variables

  @jax.jit
  def run(model: Model, source: Source) -> Model:
    return train(step, model, lambda i: _whole(draw(i, source)), num_steps)

  return run(model, source).variables


def _whole(data: LabeledData) -> Batch:
  return Batch(data, jnp.ones(_BATCH))


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
