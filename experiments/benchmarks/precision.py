"""Case: how far fewer bits in the products turn each method's gradient."""

import math
from typing import Any

import jax
import numpy as np

from dd_jax.run import recipe
from dd_jax.types import PyTree
from experiments.benchmarks.measure import Case, Conditions, Row
from experiments.benchmarks.rounding import MANTISSA, rounded
from experiments.benchmarks.sizes import TINY
from experiments.benchmarks.updates import gradient, problem

_SIZES = {**TINY, 'width': 32, 'batch_size': 32}
METHODS = [m for m in recipe.METHODS if recipe.takes(m, 'optimizer')]


def cosines(name: str) -> Case:
  """Of the outer gradient to float32's, at each precision; width 32."""

  def case(conditions: Conditions) -> Row:
    made = problem(name, {**_SIZES, **conditions.caps})
    method = made.method()
    arguments = made.arguments(method)
    exact = _gradient(method.update, arguments)
    return {
      precision: _cosine(
        _gradient(rounded(method.update, bits), arguments), exact
      )
      for precision, bits in MANTISSA.items()
    }

  return case


def _gradient(update: Any, arguments: tuple[PyTree, ...]) -> np.ndarray:
  moments = gradient(jax.jit(update)(*arguments)[0])
  flat = [np.ravel(x).astype(np.float64) for x in jax.tree.leaves(moments)]
  return np.concatenate(flat)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
  return round(float(a @ b) / math.sqrt((a @ a) * (b @ b)), 6)
