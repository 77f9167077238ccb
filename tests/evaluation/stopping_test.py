"""Learners that stop are the best of those that were trained one by one."""

import jax
import numpy as np
import optax
import pytest

from dd_jax.data.source import HostSource, resident
from dd_jax.evaluation.learners import Recipe, trained
from dd_jax.evaluation.stopping import stopped_test
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import NETWORKS
from dd_jax.types import LabeledData

SHAPE, CLASSES, STOPS = (4, 4, 1), 3, (2, 5, 30)
NETWORK = NETWORKS['mlp'](SHAPE, CLASSES, width=8, depth=1)


def arrays(size, seed):
  """Classes that overlap, so that longer is not always better."""
  rng = np.random.default_rng(seed)
  label = np.arange(size, dtype=np.int32) % CLASSES
  image = rng.normal(size=(size, *SHAPE)).astype(np.float32)
  image[np.arange(size), label] += 0.5
  return image, label


def recipe(steps):
  rate = optax.adam(0.02)
  return Recipe(NETWORK, rate, soft_cross_entropy, steps, batch_size=4)


@pytest.fixture(scope='module')
def support():
  image, label = arrays(9, 0)
  return jax.device_put(LabeledData(image, np.eye(CLASSES)[label]))


@pytest.fixture(scope='module')
def one_by_one(support):
  """What learners say that take each number of steps on their own."""

  def says(key, steps, image):
    variables = trained(recipe(steps), key, support)
    return NETWORK.apply(variables, image)[0].logits.argmax(-1)

  return jax.jit(says)


@pytest.mark.parametrize('host', [False, True], ids=['device', 'host'])
def test_the_first_of_the_best_on_held_out_images(support, one_by_one, host):
  (held, held_label), (image, label) = arrays(40, 1), arrays(20, 2)
  keys = jax.random.split(jax.random.key(0), 6)
  stops = [
    max(STOPS, key=lambda n: np.mean(one_by_one(k, n, held) == held_label))
    for k in keys
  ]
  assert len(set(stops)) > 1, stops
  wanted = [one_by_one(k, n, image) for k, n in zip(keys, stops, strict=True)]
  real = resident(image, label, CLASSES, None)
  chosen_by = (
    HostSource(held, held_label, None, CLASSES)
    if host
    else resident(held, held_label, CLASSES, None)
  )
  found = stopped_test(recipe(STOPS[-1]), STOPS, chosen_by)
  np.testing.assert_array_equal(found.predict(keys, support, real), wanted)
