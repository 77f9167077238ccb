"""Kernel ridge regression from a distilled set."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from dd_jax.data.source import Source
from dd_jax.evaluation.learners import Recipe, test_each, trained
from dd_jax.evaluation.tester import Tester
from dd_jax.kernels.ridge import Ridge, solve
from dd_jax.platform import Platform, here
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
  tester, alone = kernel_tester(kernel, ridge), jax.random.key(0)[None]
  return lambda data, test: tester(alone, data, test)[0]


def kernel_tester(
  kernel: Kernel, ridge: Ridge, platform: Platform | None = None
) -> Tester:
  """Ridge regression with an exact kernel, compiled once for each shape.

  Nothing is random: all keys give the same learner.
  """

  @jax.jit
  def fit(keys: Key, data: LabeledData) -> LabeledData:
    weights = solve(kernel(data.image, None), data.label, ridge).weights
    dual = LabeledData(data.image, weights)
    return jax.tree.map(lambda a: jnp.stack([a] * len(keys)), dual)

  def answer(dual: LabeledData, image: jax.Array) -> jax.Array:
    known = kernel(image, dual.image)
    return jnp.matmul(known, dual.label, precision=_HIGHEST)

  return Tester(fit, answer, platform or here())


def feature_test(recipe: Recipe, ridge: Ridge) -> Tester:
  """Ridge regression on the features of fresh learners, trained on the set.

  Returns:
    As `learners.learner_test`.
  """

  def features(variables: PyTree, image: jax.Array) -> jax.Array:
    return recipe.network.apply(variables, image)[0].features

  def fit(key: Key, data: LabeledData) -> tuple[PyTree, jax.Array]:
    variables = trained(recipe, key, data)
    size = recipe.network.runs_on.pass_examples
    phi = map_chunks(lambda x: features(variables, x), data.image, size)
    gram = jnp.matmul(phi, phi.T, precision=_HIGHEST)
    dual = solve(gram, data.label, ridge).weights
    return variables, jnp.matmul(phi.T, dual, precision=_HIGHEST)

  def answer(learner: tuple[PyTree, jax.Array], image: jax.Array) -> jax.Array:
    variables, primal = learner
    phi = features(variables, image)
    return jnp.matmul(phi, primal, precision=_HIGHEST)

  return test_each(fit, answer, recipe.network, recipe.mesh)
