"""Case: the driver's loop against others, where dispatch dominates."""

import time

import jax
import jax.numpy as jnp

from dd_jax.data.source import ResidentSource
from dd_jax.distiller import Distiller
from dd_jax.run import parts, recipe
from dd_jax.run.driver import distill
from dd_jax.types import PyTree
from experiments.benchmarks.measure import (
  CLASSES,
  Conditions,
  Row,
  noise,
)


def dispatch(conditions: Conditions) -> Row:
  """The driver's loop against one call a step, on steps of no work."""
  del conditions  # thousands of steps are repeats enough
  shape, steps = (8, 8, 1), 2000
  network = {'name': 'convnet', 'norm': 'instance', 'width': 8}
  config = recipe.update(
    recipe.default('frepo'),
    {'ipc': 1, 'network': network, 'method': {'batch_size': 16}},
  )
  method = parts.build(config, parts.Setting(shape, CLASSES))
  source = noise(shape, 1000)
  looped = distill(method, source, seed=0, num_steps=steps)
  return {
    'loop_steps_per_second': round(steps / looped.seconds['distil']),
    **_one_call_a_step(method, source, 300),
    **_own_loop(method, source, 200),
  }


def _one_call_a_step(
  method: Distiller, source: ResidentSource, steps: int
) -> Row:
  key = jax.random.key(0)

  @jax.jit
  def one(state: PyTree, i: jax.Array, source: ResidentSource) -> PyTree:
    k_sample, k_update = jax.random.split(jax.random.fold_in(key, i))
    batch = method.sample(k_sample, i, source)
    return method.update(k_update, i, state, batch)

  state, _ = one(method.init(key, source), jnp.int32(0), source)
  start = time.perf_counter()
  for i in range(steps):
    state, metrics = one(state, jnp.int32(i), source)
    float(metrics['loss'])  # what a loop that logs every step waits for
  rate = steps / (time.perf_counter() - start)
  return {'call_steps_per_second': round(rate)}


def _own_loop(method: Distiller, source: ResidentSource, steps: int) -> Row:
  """The loop that the README shows: sampled outside, one call an update."""
  key, update = jax.random.key(0), jax.jit(method.update)
  state, start = method.init(key, source), 0.0
  for t in range(steps + 1):
    k_sample, k_update = jax.random.split(jax.random.fold_in(key, t))
    batch = method.sample(k_sample, jnp.int32(t), source)
    state, metrics = update(k_update, jnp.int32(t), state, batch)
    float(metrics['loss'])
    start = start or time.perf_counter()  # after the first, which compiles
  rate = steps / (time.perf_counter() - start)
  return {'own_loop_steps_per_second': round(rate)}
