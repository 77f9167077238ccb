"""Three classes that are told apart easily, and a small learner of them."""

import jax
import numpy as np
import pytest

from dd_jax.data.source import resident
from dd_jax.evaluation.protocols import Setting
from dd_jax.networks import NETWORKS
from dd_jax.types import DistilledData

SHAPE, CLASSES = (8, 8, 1), 3
NETWORK = NETWORKS['mlp'](SHAPE, CLASSES, width=16, depth=1)


def _arrays(size):
  rng = np.random.default_rng(0)
  label = np.arange(size, dtype=np.int32) % CLASSES
  image = 0.5 * rng.normal(size=(size, *SHAPE))
  image[np.arange(size), label] += 2
  return image.astype(np.float32), label


@pytest.fixture
def key():
  return jax.random.key(0)


@pytest.fixture
def setting():
  """`setting(steps=5)`: of these images and that learner, with changes."""

  def make(**changes):
    return Setting(SHAPE, CLASSES, network=NETWORK)._replace(**changes)

  return make


@pytest.fixture
def real():
  """`real(45)`: so many examples."""
  return lambda size=45: resident(*_arrays(size), CLASSES, None)


@pytest.fixture
def distilled():
  """`distilled('centred')`: six of them, as a distilled set."""

  def make(encoding='one-hot'):
    image, _ = _arrays(6)
    order = np.argsort(np.arange(6) % CLASSES, kind='stable')
    label = np.eye(CLASSES, dtype=np.float32)[np.arange(6) % CLASSES]
    shift = 1 / CLASSES if encoding == 'centred' else 0
    return DistilledData(image[order], label[order] - shift)

  return make


@pytest.fixture
def images():
  """`images(100)`: a set of that size, of which nothing else matters."""
  return lambda size: DistilledData(
    np.zeros((size, *SHAPE), np.float32), np.eye(CLASSES)[np.arange(size) % 3]
  )
