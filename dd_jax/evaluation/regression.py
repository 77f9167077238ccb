"""Kernel ridge regression from a distilled set."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from dd_jax.data.source import ResidentSource, Source
from dd_jax.evaluation.learners import (
  Recipe,
  test_trained,
)
from dd_jax.evaluation.tester import Tester, accuracies, source_predictions
from dd_jax.kernels.ridge import Ridge, solve
from dd_jax.training import map_chunks
from dd_jax.types import Kernel, LabeledData, PyTree

_HIGHEST = jax.lax.Precision.HIGHEST


def kernel_test(
  kernel: Kernel, ridge: Ridge
) -> Callable[[LabeledData, Source], jax.Array]:
  """A test of ridge regression, compiled once for each shape.

  Returns:
    `(data, test) -> accuracy in [0, 1]`, a scalar, exact.
  """
  predict = kernel_predictions(kernel, ridge)
  return lambda data, test: accuracies(predict(data, test), test)


def kernel_predictions(
  kernel: Kernel, ridge: Ridge
) -> Callable[[LabeledData, Source], jax.Array]:
  """What ridge regression says of test examples, compiled once for each shape.

  Returns:
    `(data, test) -> classes int32 [n]`, see `tester.source_predictions`.
  """

  def said(data: LabeledData, test: Source) -> jax.Array:
    weights = solve(kernel(data.image, None), data.label, ridge).weights
    return source_predictions(
      lambda x: jnp.matmul(kernel(x, data.image), weights, precision=_HIGHEST),
      test,
    )

  on_device = jax.jit(said)

  def run(data: LabeledData, test: Source) -> jax.Array:
    resident = isinstance(test, ResidentSource)
    return on_device(data, test) if resident else said(data, test)

  return run


def feature_test(recipe: Recipe, ridge: Ridge) -> Tester:
  """Ridge regression on the features of fresh learners, trained on the set.

  Returns:
    As `learners.learner_test`.
  """

  def predictor(
    variables: PyTree, data: LabeledData
  ) -> Callable[[jax.Array], jax.Array]:
    features = lambda x: recipe.network.apply(variables, x)[0].features
    phi = map_chunks(features, data.image)
    gram = jnp.matmul(phi, phi.T, precision=_HIGHEST)
    dual = solve(gram, data.label, ridge).weights
    primal = jnp.matmul(phi.T, dual, precision=_HIGHEST)
    return lambda x: jnp.matmul(features(x), primal, precision=_HIGHEST)

  return test_trained(recipe, predictor)
