"""Tiny experts on the digits, trained once."""

import jax
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

from dd_jax.data.source import HostSource, resident
from dd_jax.experts import ExpertStore, Recipe, identity, train_experts
from dd_jax.networks import NETWORKS

CLASSES, SHAPE = 3, (8, 8, 1)


def digits():
  bunch = load_digits(n_class=CLASSES)
  image = ((bunch.images[:70, ..., None] - 5) / 6).astype(np.float32)
  return image, bunch.target[:70].astype(np.int32)


class School:
  """What the tests of experts share."""

  def __init__(self):
    self.real = resident(*digits(), CLASSES, None)
    self.host = HostSource(*digits(), None, CLASSES)
    self.network = NETWORKS['mlp'](SHAPE, CLASSES, width=8, depth=1)

  def recipe(self, **changes):
    base = Recipe(self.network, optax.sgd(0.1), 3, 4, batch_size=32)
    return base._replace(**changes)

  def about(self, count=3, epochs=(0, 1, 2, 4), **changes):
    made = identity(
      network={'name': 'mlp', 'width': 8},
      data={'name': 'digits', 'sha256': 'abc'},
      preprocessing='none',
      recipe={'count': count, 'epochs': 4},
      epochs=epochs,
      seed=0,
    )
    return {**made, **changes}

  def train(self, path, source=None, epochs=(0, 1, 2, 4), **changes):
    store = ExpertStore.start(path, self.about(epochs=epochs))
    recipe, report = self.recipe(), changes.pop('report', None)
    given = {} if report is None else {'report': report}
    train_experts(
      recipe._replace(**changes),
      store,
      jax.random.key(0),
      source or self.real,
      self.real,
      **given,
    )
    return store


@pytest.fixture(scope='session')
def school():
  return School()


@pytest.fixture(scope='session')
def trained(school, tmp_path_factory):
  """A complete store of three experts."""
  return school.train(tmp_path_factory.mktemp('experts') / 'store')
