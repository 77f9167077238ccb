"""Kernel ridge regression from a distilled set."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from dd_jax.data.source import ResidentSource, Source
from dd_jax.evaluation.learners import (
  Recipe,
  source_accuracy,
  test_trained,
)
from dd_jax.kernels.ridge import Ridge, solve
from dd_jax.training import map_chunks
from dd_jax.types import Kernel, Key, LabeledData, PyTree

_HIGHEST = jax.lax.Precision.HIGHEST


def kernel_test(
  kernel: Kernel, ridge: Ridge
) -> Callable[[LabeledData, Source], jax.Array]:
  """A test of ridge regression, compiled once for each shape.

  Returns:
    `(data, test) -> accuracy in [0, 1]`, a scalar, exact.
  """

  def score(data: LabeledData, test: Source) -> jax.Array:
    weights = solve(kernel(data.image, None), data.label, ridge).weights
    return source_accuracy(
      lambda x: jnp.matmul(kernel(x, data.image), weights, precision=_HIGHEST),
      test,
    )

  on_device = jax.jit(score)

  def run(data: LabeledData, test: Source) -> jax.Array:
    resident = isinstance(test, ResidentSource)
    return on_device(data, test) if resident else score(data, test)

  return run


def feature_test(
  recipe: Recipe, ridge: Ridge
) -> Callable[[Key, LabeledData, Source], jax.Array]:
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
