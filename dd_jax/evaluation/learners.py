"""Training learners on a distilled set and testing them on real data."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import optax

from dd_jax.evaluation.tester import (
  Tester,
  source_accuracy,
  source_predictions,
)
from dd_jax.evaluation.ticks import Report, Step, told
from dd_jax.networks import Network
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
  'logits_of',
  'recipe_steps',
  'source_accuracy',
  'source_predictions',
  'test_each',
  'trained',
]

_MIX = 1  # folded into the key of the batches

Support: TypeAlias = LabeledData | DistilledData
"""What learners are trained on."""


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
    relabel: gives every batch the labels of its images as they are shown, in
      place of its own; or None.
    report: told how far training is, or None.
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
  relabel: Callable[[jax.Array], jax.Array] | None = None
  report: Report | None = None


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
  if recipe.relabel is not None:
    batches = _relabelled(batches, recipe.relabel)

  def step(model: Model, batch: Batch) -> Model:
    return train_step(recipe.network, optimizer, recipe.loss, model, batch)

  def advance(model: Model, first: Step, last: Step) -> Model:
    return train(step, model, lambda i: batches(first + i), last - first)

  if recipe.report is None:
    return model, advance
  total = recipe_steps(recipe)(data)
  return model, told(advance, recipe.report, total)


def _relabelled(
  batches: Callable[[jax.Array], Batch],
  relabel: Callable[[jax.Array], jax.Array],
) -> Callable[[jax.Array], Batch]:
  """`batches` with the labels that their images are given."""

  def one(i: jax.Array) -> Batch:
    plain = batches(i)
    label = relabel(plain.data.image)
    return plain._replace(data=plain.data._replace(label=label))

  return one


def learner_test(recipe: Recipe) -> Tester:
  """A test of fresh learners, compiled once for each shape.

  Returns:
    `(keys [m], data, test) -> accuracies in [0, 1] [m]`: trains a learner for
    each key, which depends on that key alone, and tests it.
  """
  fit = functools.partial(trained, recipe)
  return test_each(fit, logits_of(recipe.network), recipe.network, recipe.mesh)


def logits_of(network: Network) -> Callable[[PyTree, jax.Array], jax.Array]:
  """`(variables, image [n, h, w, c]) -> logits [n, k]`."""
  return lambda variables, image: network.apply(variables, image)[0].logits


def test_each(
  fit: Callable[[Key, Any], PyTree],
  answer: Callable[[PyTree, jax.Array], jax.Array],
  network: Network,
  mesh: jax.sharding.Mesh | None,
) -> Tester:
  """Tests a learner for each key, compiled once for each shape.

  Args:
    fit: `(key, data) -> learner`, any pytree.
    answer: `(learner, image [n, h, w, c]) -> [n, k]`.
    network: what is trained; it says what learners run on.
    mesh: whose `data` axis learners are split over, or None.
  """

  @jax.jit
  def fit_all(keys: Key, data: Any) -> PyTree:
    one = lambda key: fit(key, data)
    return train_many(one, keys, network.runs_on, mesh=mesh)

  return Tester(fit_all, answer, network.runs_on, mesh, network)
