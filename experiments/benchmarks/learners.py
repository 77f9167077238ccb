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
  Case,
  Conditions,
  Row,
  median,
  noise,
  speed,
)


def evaluate(learners: int) -> Case:
  """Learners of the protocol `dc`, one image per class."""

  def case(conditions: Conditions) -> Row:
    count = conditions.most('learners', learners)
    examples = conditions.most('examples', 10_000)
    steps = conditions.most('steps', 301)
    width = conditions.most('width', 128)
    layers = flops.convnet(conditions.shape[0], 3, (width,) * 3, CLASSES)
    work = count * flops.evaluation(layers, CLASSES, steps, examples)
    return speed(conditions, _dc(conditions, count, examples), work)

  return case


def five_learners(conditions: Conditions) -> Row:
  """Five learners together against one alone."""
  one, five = (
    median(_dc(conditions, count, 1000), conditions.repeats) for count in (1, 5)
  )
  return {
    'one_seconds': round(one, 3),
    'five_seconds': round(five, 3),
    'five_over_five_alone': round(five / (5 * one), 3),
  }


def _dc(
  conditions: Conditions, learners: int, examples: int
) -> Callable[[], Any]:
  """A call that scores a set of noise under `dc`."""
  width = conditions.most('width', 128)
  setting = Setting(
    conditions.shape,
    CLASSES,
    network=NETWORKS['convnet'](conditions.shape, CLASSES, width=width),
    steps=conditions.caps.get('steps'),
    mesh=conditions.mesh,
  )
  chosen, test = protocol('dc', setting), noise(conditions.shape, examples)
  image = jax.random.normal(jax.random.key(1), (CLASSES, *conditions.shape))
  data = DistilledData(image, jnp.eye(CLASSES))
  keys = jax.random.split(jax.random.key(0), learners)
  return lambda: chosen.score(keys, data, test)


def ten_experts(conditions: Conditions) -> Row:
  """Ten experts trained together against one alone."""
  call = _experts(conditions, 256, 32, 4)
  alone, together = (median(call(n), conditions.repeats) for n in (1, 10))
  return {
    'one_seconds': round(alone, 3),
    'ten_seconds': round(together, 3),
    'ten_over_ten_alone': round(together / (10 * alone), 3),
  }


def experts(conditions: Conditions) -> Row:
  """Ten together, in MTT's batches of 256, for a pass over 5,120 images."""
  count = conditions.most('experts', 10)
  batch = conditions.most('batch_size', 256)
  width, steps = conditions.most('width', 128), conditions.most('steps', 20)
  layers = flops.convnet(conditions.shape[0], 3, (width,) * 3, CLASSES)
  each = steps * batch * flops.work(layers, flops.PARAMETER_GRADIENT)
  call = _experts(conditions, steps * batch, batch, steps)(count)
  return speed(conditions, call, count * each)


def _experts(
  conditions: Conditions, size: int, batch: int, steps: int
) -> Callable[[int], Callable[[], Any]]:
  """`(count)` makes a call that trains that many together, on `size` images."""
  width = conditions.most('width', 128)
  network = NETWORKS['convnet'](conditions.shape, CLASSES, width=width)
  optimizer, source = optax.sgd(0.01), noise(conditions.shape, size)
  step = functools.partial(train_step, network, optimizer, soft_cross_entropy)

  def one(key: jax.Array, source: ResidentSource) -> PyTree:
    data, _ = epochs(key, source.take(jnp.arange(size)), batch)
    return train(step, fresh_model(network, optimizer, key), data, steps)

  @jax.jit
  def many(keys: jax.Array, source: ResidentSource) -> PyTree:
    return train_many(lambda k: one(k, source), keys, network.runs_on)

  def call(count: int) -> Callable[[], Any]:
    keys = jax.random.split(jax.random.key(0), count)
    return lambda: many(keys, source)

  return call
