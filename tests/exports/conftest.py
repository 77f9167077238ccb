"""A set of six images, with all that a set may have learned."""

import numpy as np
import pytest

from dd_jax.artifact import Artifact
from dd_jax.data import fitting
from dd_jax.types import DistilledData

NAMES = ['cat', 'dog', 'eel']


@pytest.fixture
def made():
  """`made(soft=True, channels=3, preprocessing='field', dataset='cifar10')`."""

  def make(
    soft=False, channels=3, preprocessing='standardise', dataset='cifar10'
  ):
    rng = np.random.default_rng(0)
    real = rng.integers(0, 256, (60, 4, 5, channels), np.uint8)
    image = rng.normal(size=(6, 4, 5, channels)).astype(np.float32)
    label = np.repeat(np.eye(3, dtype=np.float32), 2, 0)
    if soft:
      label = 0.8 * label + 0.2 * rng.dirichlet(np.ones(3), 6)
    fitted = fitting.fit(preprocessing, real, dataset=dataset)
    metadata = {
      'class_names': NAMES,
      'label_encoding': 'one-hot',
      'dataset': {'name': dataset},
      'method': 'mtt',
    }
    data = DistilledData(
      image, label.astype(np.float32), step_size=np.float32(0.03)
    )
    return Artifact(data, fitted, None, metadata)

  return make
