"""Counting hits, and learners that depend on their own key alone."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.data.source import HostSource, resident
from dd_jax.evaluation.learners import (
  Recipe,
  learner_test,
  source_accuracy,
  trained,
)
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import NETWORKS
from dd_jax.training import epochs, fresh_model, train_step
from dd_jax.types import LabeledData

SHAPE, CLASSES = (3, 3, 1), 4
# One, less than, equal to and beyond a chunk, on the device and on the host.
SIZES = [1, 31, 32, 33, 64, 1023, 1024, 1030]


def arrays(size=50, seed=0):
  rng = np.random.default_rng(seed)
  image = rng.normal(size=(size, *SHAPE)).astype(np.float32)
  return image, rng.integers(0, CLASSES, size).astype(np.int32)


def predict(image):
  return image.reshape(image.shape[0], -1)[:, :CLASSES]


@pytest.mark.parametrize('kind', ['resident', 'host'])
@pytest.mark.parametrize('size', SIZES)
def test_accuracy_is_an_exact_count(size, kind):
  image, label = arrays(size)
  make = resident if kind == 'resident' else _host
  found = source_accuracy(predict, make(image, label, CLASSES, None))
  hits = np.sum(image.reshape(size, -1)[:, :CLASSES].argmax(1) == label)
  assert round(float(found) * size, 3) == hits
  assert float(found) == np.float32(hits / size)


def _host(*args):
  image, label, classes, preprocessing = args
  return HostSource(image, label, preprocessing, classes)


def test_padding_is_never_a_hit():
  """The last example, repeated to fill the chunk, counts once."""
  image, label = arrays(33)
  label = np.where(np.arange(33) == 32, label, (label + 1) % CLASSES)
  logits = np.eye(CLASSES, dtype=np.float32)
  image = logits[(label + (np.arange(33) < 32)) % CLASSES][:, None, :, None]
  source = resident(image, label.astype(np.int32), CLASSES, None)
  assert float(source_accuracy(predict, source)) == np.float32(1 / 33)


def recipe(steps=5):
  return Recipe(
    NETWORKS['mlp'](SHAPE, CLASSES, width=8, depth=1),
    optax.sgd(0.1),
    soft_cross_entropy,
    num_steps=steps,
    batch_size=4,
  )


def support():
  image, _ = arrays(6, seed=1)
  return LabeledData(jnp.asarray(image), jnp.eye(6, CLASSES))


def test_a_learner_is_trained_step_by_step():
  key = jax.random.key(3)
  k_init, k_data = jax.random.split(key)
  model = fresh_model(recipe().network, optax.sgd(0.1), k_init)
  batches, _ = epochs(k_data, support(), 4)
  for i in range(5):
    model = train_step(
      recipe().network,
      optax.sgd(0.1),
      soft_cross_entropy,
      model,
      batches(jnp.asarray(i)),
    )
  found = trained(recipe(), key, support())
  for a, b in zip(
    jax.tree.leaves(found), jax.tree.leaves(model.variables), strict=True
  ):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_learner_depends_on_its_key_alone():
  keys = jax.random.split(jax.random.key(0), 4)
  test = resident(*arrays(500), CLASSES, None)
  score = learner_test(recipe(30))
  together = np.asarray(score(keys, support(), test))
  np.testing.assert_array_equal(
    score(keys[2:3], support(), test)[0], together[2]
  )
  np.testing.assert_array_equal(
    score(keys[::-1], support(), test), together[::-1]
  )
  assert len(set(together.tolist())) > 1


def test_host_source_equals_resident_source():
  keys = jax.random.split(jax.random.key(0), 2)
  score = learner_test(recipe(10))
  on_device = score(keys, support(), resident(*arrays(70), CLASSES, None))
  on_host = score(keys, support(), HostSource(*arrays(70), None, CLASSES))
  np.testing.assert_allclose(on_host, on_device, atol=1e-6)
