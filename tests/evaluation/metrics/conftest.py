"""Linear learners of small images, whose answers NumPy gives as well."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.data.preprocess import Preprocessing
from dd_jax.data.source import resident
from dd_jax.evaluation.metrics import Case, Pixels
from dd_jax.evaluation.tester import Tester
from dd_jax.platform import CPU

SHAPE, K, LEARNERS, SIZE = (6, 5, 2), 3, 3, 50
PREPROCESSING = Preprocessing(
  'standardise', jnp.array([0.4, 0.5]), jnp.array([0.2, 0.3])
)


def _answer(weight, image):
  return image.reshape(len(image), -1) @ weight


@pytest.fixture(scope='module')
def case():
  """`case()`: three learners and fifty images; or with changes of fields."""
  rng = np.random.default_rng(0)
  pixel = rng.integers(0, 256, (SIZE, *SHAPE)).astype(np.uint8)
  label = rng.integers(0, K, SIZE).astype(np.int32)
  weight = rng.normal(size=(LEARNERS, np.prod(SHAPE), K)) / 8
  made = Case(
    Tester(lambda keys, data: data, _answer, CPU),
    jnp.asarray(weight, jnp.float32),
    resident(pixel, label, K, PREPROCESSING),
    Pixels(pixel, label, PREPROCESSING),
    8 / 255,
    jax.random.key(0),
  )
  return made


@pytest.fixture(scope='module')
def answers(case):
  """What the learners answer, by NumPy in float64: `[m, n, k]`."""
  pixel = case.pixels.image / 255
  x = (pixel - np.asarray(PREPROCESSING.mean, float)) / np.asarray(
    PREPROCESSING.std, float
  )
  return x.reshape(SIZE, -1) @ np.asarray(case.learners, float)
