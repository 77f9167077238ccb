"""Training learners on a distilled set and testing them on real data."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax

from dd_jax.data.source import ResidentSource, Source
from dd_jax.evaluation.tester import (
  Tester,
  source_accuracy,
  source_predictions,
)
from dd_jax.networks import Network
from dd_jax.platform import Platform
from dd_jax.training import (
  Batch,
  Loss,
  Mix,
  Model,
  epochs,
  fresh_model,
  mixed,
  train,
  train_many,
  train_step,
)
from dd_jax.types import Augment, DistilledData, Key, LabeledData, PyTree

__all__ = [
  'Recipe',
  'Support',
  'course',
  'learner_test',
  'predictor',
  'recipe_steps',
  'source_accuracy',
  'source_predictions',
  'test_each',
  'test_trained',
  'trained',
]

_MIX = 1  # folded into the key of the batches

Support: TypeAlias = LabeledData | DistilledData
"""What learners are trained on."""
Step: TypeAlias = int | jax.Array
"""The number of a step."""


class Recipe(NamedTuple):
  """How a learner is trained on a distilled set.

  Attributes:
    network: the learner.
    optimizer: with its schedule, counted in steps; or a function that makes it
      of the distilled set, whose step size may be learned.
    loss: `(logits, label) -> [n]`.
    num_steps: optimiser steps; or a function that reads them off the set.
    batch_size: the whole set where that is smaller.
    augment: of each batch, or None.
    mix: of each batch's images and labels, after that; or None.
    mesh: whose `data` axis learners are split over, or None.
  """

  network: Network
  optimizer: (
    optax.GradientTransformation
    | Callable[[DistilledData], optax.GradientTransformation]
  )
  loss: Loss
  num_steps: int | Callable[[DistilledData], int | jax.Array]
  batch_size: int
  augment: Augment | None = None
  mix: Mix | None = None
  mesh: jax.sharding.Mesh | None = None


def recipe_steps(recipe: Recipe) -> Callable[[Any], int | jax.Array]:
  """Optimiser steps of one learner, by the set that it is trained on."""
  steps = recipe.num_steps
  return lambda data: steps(DistilledData(*data)) if callable(steps) else steps


def trained(recipe: Recipe, key: Key, data: Support) -> PyTree:
  """Trains one fresh learner; returns its variables."""
  model, advance = course(recipe, key, data)
  return advance(model, 0, recipe_steps(recipe)(data)).variables


def course(
  recipe: Recipe, key: Key, data: Support
) -> tuple[Model, Callable[[Model, Step, Step], Model]]:
  """A fresh learner, and how it is trained.

  Returns:
    The model, and `(model, first, last) -> model`, which takes the steps from
    `first` up to, but not with, `last`; either may be traced.
  """
  k_init, k_data = jax.random.split(key)
  support = LabeledData(data.image, data.label)
  optimizer = recipe.optimizer
  if not isinstance(optimizer, optax.GradientTransformation):
    optimizer = optimizer(DistilledData(*data))
  model = fresh_model(recipe.network, optimizer, k_init)
  batches, _ = epochs(k_data, support, recipe.batch_size, recipe.augment)
  if recipe.mix is not None:
    batches = mixed(jax.random.fold_in(k_data, _MIX), batches, recipe.mix)

  def step(model: Model, batch: Batch) -> Model:
    return train_step(recipe.network, optimizer, recipe.loss, model, batch)

  def advance(model: Model, first: Step, last: Step) -> Model:
    return train(step, model, lambda i: batches(first + i), last - first)

  return model, advance


def predictor(
  network: Network, variables: PyTree
) -> Callable[[jax.Array], jax.Array]:
  """`(image [n, h, w, c]) -> logits [n, k]` of a trained network."""
  return lambda image: network.apply(variables, image)[0].logits


def learner_test(recipe: Recipe) -> Tester:
  """A test of fresh learners, compiled once for each shape.

  Returns:
    `(keys [m], data, test) -> accuracies in [0, 1] [m]`: trains a learner for
    each key, which depends on that key alone, and tests it.
  """
  network = recipe.network
  return test_trained(recipe, lambda held, data: predictor(network, held))


def test_trained(
  recipe: Recipe,
  predictor: Callable[[PyTree, Any], Callable[[jax.Array], jax.Array]],
) -> Tester:
  """As `learner_test`, for any way to predict with a trained learner.

  Args:
    recipe: how learners are trained.
    predictor: `(variables, data) -> (image [n, h, w, c]) -> [n, k]`.
  """

  def one(key: Key, data: Support, test: Source) -> jax.Array:
    predict = predictor(trained(recipe, key, data), data)
    return source_predictions(predict, test)

  return test_each(one, recipe.network.runs_on, recipe.mesh)


def test_each(
  one: Callable[[Key, Any, Source], jax.Array],
  platform: Platform,
  mesh: jax.sharding.Mesh | None,
) -> Tester:
  """Tests a learner for each key, compiled once for each shape.

  Args:
    one: `(key, data, test) -> classes [n]`, as `source_predictions` gives them.
    platform: what it runs on.
    mesh: whose `data` axis learners are split over, or None.

  Returns:
    `(keys [m], data, test) -> accuracies [m]`; its `predict` gives the classes.
  """

  @jax.jit
  def on_device(keys: Key, data: Support, test: Source) -> jax.Array:
    run = lambda k: one(k, data, test)
    return train_many(run, keys, platform, mesh=mesh)

  def run(keys: Key, data: Support, test: Source) -> jax.Array:
    if isinstance(test, ResidentSource):
      return on_device(keys, data, test)
    return jnp.stack([one(k, data, test) for k in keys])

  return Tester(run)
