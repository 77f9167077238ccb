"""Learners split over devices score as they do on one."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.data.source import resident
from dd_jax.evaluation.learners import Recipe, learner_test
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import convnet
from dd_jax.types import LabeledData

SHAPE, CLASSES = (8, 8, 1), 3


def scores(mesh: jax.sharding.Mesh | None, learners: int) -> list[float]:
  """Accuracies of a few learners on random but separable data."""
  network = convnet(SHAPE, CLASSES, width=4)
  recipe = Recipe(network, optax.sgd(0.1), soft_cross_entropy, 20, 9, mesh=mesh)
  label = np.arange(60) % CLASSES
  rng = np.random.default_rng(0)
  image = rng.normal(size=(60, *SHAPE)) + label[:, None, None, None]
  test = resident(image.astype(np.float32), label, CLASSES, None)
  data = LabeledData(test.image[:9], jnp.eye(CLASSES)[label[:9]])
  keys = jax.random.split(jax.random.key(0), learners)
  return learner_test(recipe)(keys, data, test).tolist()


@pytest.fixture(scope='module')
def two_devices(on_two_devices) -> dict[str, list[float]]:
  return json.loads(on_two_devices(__file__))


@pytest.mark.parametrize('learners', [2, 3])
def test_two_devices_agree_with_one(learners, two_devices):
  alone = scores(None, learners)
  assert len(set(alone)) > 1  # learners differ, so their order is seen
  # One example of 60 may fall on the other side of a tie.
  np.testing.assert_allclose(two_devices[str(learners)], alone, atol=0.02)


if __name__ == '__main__':
  auto = jax.sharding.AxisType.Auto
  split = jax.make_mesh((2,), ('data',), axis_types=(auto,))
  print(json.dumps({n: scores(split, n) for n in (2, 3)}))
