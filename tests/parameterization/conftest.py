"""A little data for factorised sets."""

import math

import jax
import numpy as np
import pytest

from dd_jax.data.source import resident

SHAPE = (8, 6, 2)
CLASSES = 3


@pytest.fixture
def source():
  """Sixty images of smooth noise, twenty of each class."""
  rng = np.random.default_rng(0)
  coarse = rng.normal(size=(60, 4, 3, SHAPE[2]))
  image = coarse.repeat(2, 1).repeat(2, 2) + 0.1 * rng.normal(size=(60, *SHAPE))
  label = np.arange(60, dtype=np.int32) % CLASSES
  return resident(image.astype(np.float32), label, CLASSES, None)


@pytest.fixture
def started(source):
  """`(made) -> (params, constants, data)`, with what every set must keep."""

  def start(made):
    params, constants = made.init(jax.random.key(0), source)
    data = jax.jit(made.decode)(params, constants)
    per_class, rest = divmod(len(data.image), CLASSES)
    assert rest == 0
    assert data.image.shape[1:] == SHAPE
    of_class = np.asarray(data.label).reshape(CLASSES, per_class, -1).argmax(-1)
    assert np.all(of_class == np.arange(CLASSES)[:, None])
    return params, constants, data

  return start


@pytest.fixture
def numbers():
  """Numbers of four bytes in a tree, rounded up."""

  def count(tree):
    return sum(
      math.ceil(x.size * x.dtype.itemsize / 4) for x in jax.tree.leaves(tree)
    )

  return count
