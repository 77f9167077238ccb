"""Data that the tests of scores share."""

import numpy as np
import pytest

from dd_jax import from_arrays
from dd_jax.data.dataset import Dataset


@pytest.fixture(scope='session')
def bright_rows() -> Dataset:
  """60 training and 30 test images of 6 x 6 in 3 classes: noise, and a row."""
  rng = np.random.default_rng(0)
  label = np.arange(90) % 3
  image = rng.uniform(0, 1, (90, 6, 6))
  image[np.arange(90), label] += 0.3
  image = np.clip(image, 0, 1)
  return from_arrays(image[:60], label[:60], image[60:], label[60:])
