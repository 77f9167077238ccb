"""Cases: networks trained on a distilled set, or together as experts."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from dd_jax.data.source import ResidentSource
from dd_jax.evaluation.protocols import Setting, protocol
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import NETWORKS
from dd_jax.training import (
  epochs,
  fresh_model,
  train,
  train_many,
  train_step,
)
from dd_jax.types import DistilledData, PyTree
from experiments.benchmarks import flops
from experiments.benchmarks.measure import (
  CLASSES,
  SHAPE,
  Conditions,
  Row,
  median,
  noise,
  speed,
)


def evaluate(conditions: Conditions) -> Row:
  """One learner of the protocol `dc`, one image per class."""
  layers = flops.convnet(32, 3, (128,) * 3, CLASSES)
  work = flops.evaluation(layers, CLASSES, 301, 10_000)
  call = _dc(1, noise(size=10_000), conditions.mesh)
  return speed(conditions, call, work)


def five_learners(conditions: Conditions) -> Row:
  """Five learners together against one alone."""
  test = noise(size=1000)
  one, five = (
    median(_dc(count, test, conditions.mesh), conditions.repeats)
    for count in (1, 5)
  )
  return {
    'one_seconds': round(one, 3),
    'five_seconds': round(five, 3),
    'five_over_five_alone': round(five / (5 * one), 3),
  }


def _dc(
  learners: int, test: ResidentSource, mesh: jax.sharding.Mesh | None
) -> Callable[[], Any]:
  """A call that scores a set of noise under `dc`."""
  chosen = protocol('dc', Setting(SHAPE, CLASSES, mesh=mesh))
  image = jax.random.normal(jax.random.key(1), (CLASSES, *SHAPE))
  data = DistilledData(image, jnp.eye(CLASSES))
  keys = jax.random.split(jax.random.key(0), learners)
  return lambda: chosen.score(keys, data, test)


def ten_experts(conditions: Conditions) -> Row:
  """Ten experts trained together against one alone."""
  network, optimizer = NETWORKS['convnet'](SHAPE, CLASSES), optax.sgd(0.01)
  source = noise(size=256)
  step = functools.partial(train_step, network, optimizer, soft_cross_entropy)

  def one(key: jax.Array, source: ResidentSource) -> PyTree:
    data, _ = epochs(key, source.take(jnp.arange(256)), 32)
    return train(step, fresh_model(network, optimizer, key), data, 4)

  @jax.jit
  def many(keys: jax.Array, source: ResidentSource) -> PyTree:
    return train_many(lambda k: one(k, source), keys, network.runs_on)

  def call(count: int) -> Callable[[], Any]:
    keys = jax.random.split(jax.random.key(0), count)
    return lambda: many(keys, source)

  alone, together = (median(call(n), conditions.repeats) for n in (1, 10))
  return {
    'one_seconds': round(alone, 3),
    'ten_seconds': round(together, 3),
    'ten_over_ten_alone': round(together / (10 * alone), 3),
  }
