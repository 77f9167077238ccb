"""Images whose pixels are known, and a count that is told from chance."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pytest


@pytest.fixture
def images() -> Callable[..., np.ndarray]:
  """`images(shape, seed=0, dtype=np.float32)`: normal noise."""

  def draw(
    shape: tuple[int, ...], seed: int = 0, dtype: type = np.float32
  ) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)

  return draw


@pytest.fixture
def ramp() -> Callable[[int, int], jax.Array]:
  """`ramp(height, width)`: shows where pixels go.

  Rows in channel 0, columns in channel 1, from 1.
  """

  def draw(height: int, width: int) -> jax.Array:
    rows, columns = np.mgrid[1 : height + 1, 1 : width + 1]
    return jnp.asarray(np.stack([rows, columns], -1), jnp.float32)

  return draw


@pytest.fixture
def chi_square() -> Callable[[Sequence[int]], float]:
  """`chi_square(counts)`, against equal counts."""

  def statistic(counts: Sequence[int]) -> float:
    mean = sum(counts) / len(counts)
    return sum((count - mean) ** 2 for count in counts) / mean

  return statistic
