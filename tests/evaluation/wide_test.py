"""RFAD's tests: kernels of random networks, and networks minus their start."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.data.source import HostSource, resident
from dd_jax.evaluation.protocols import Setting, protocol
from dd_jax.evaluation.wide import centred, random_feature_test
from dd_jax.kernels import Ridge
from dd_jax.losses import squared_error
from dd_jax.networks import NETWORKS, from_flax
from dd_jax.networks.mlp import MLP
from dd_jax.training import Batch, fresh_model, train_step
from dd_jax.types import DistilledData, LabeledData

SHAPE, CLASSES = (4, 4, 1), 3
KEY = jax.random.key(0)


def arrays(size=45):
  rng = np.random.default_rng(0)
  label = np.arange(size, dtype=np.int32) % CLASSES
  image = rng.normal(size=(size, *SHAPE))
  image[np.arange(size), label] += 1
  return image.astype(np.float32), label


def support(n=6):
  image, label = arrays(n)
  one_hot = np.eye(CLASSES, dtype=np.float32)[label]
  return LabeledData(jnp.asarray(image), jnp.asarray(one_hot - 1 / CLASSES))


def network(width=7):
  return from_flax(MLP((width,), CLASSES, 'nngp'), SHAPE)


@functools.cache
def scores(count):
  tester = random_feature_test(network(), count, Ridge(1e-2))
  keys = jax.random.split(KEY, 3)
  return np.asarray(tester(keys, support(), resident(*arrays(), CLASSES, None)))


@pytest.mark.parametrize('count', [1, 5])
def test_accuracy_is_numpys(count):
  data = support()
  image, label = arrays()
  for key, found in zip(jax.random.split(KEY, 3), scores(count), strict=True):
    k_ss, k_ts = 0, 0
    for k in jax.random.split(key, count):
      layer = network().init(k)['params']['Dense_0']
      phi = [
        np.maximum(
          np.asarray(x, float).reshape(len(x), -1) @ np.asarray(layer['kernel'])
          + layer['bias'],
          0,
        )
        for x in (data.image, image)
      ]
      k_ss = k_ss + (2 / 7 * phi[0] @ phi[0].T + 0.01) / count
      k_ts = k_ts + (2 / 7 * phi[1] @ phi[0].T + 0.01) / count
    lam = 1e-2 * np.trace(k_ss) / len(k_ss)
    dual = np.linalg.solve(k_ss + lam * np.eye(len(k_ss)), data.label)
    expected = np.mean((k_ts @ dual).argmax(-1) == label)
    assert float(found) == pytest.approx(expected, abs=1 / 45)


def test_host_and_resident_sources_agree():
  tester = random_feature_test(network(), 2, Ridge(1e-2))
  host = HostSource(*arrays(), None, CLASSES)
  keys = jax.random.split(KEY, 2)
  source = resident(*arrays(), CLASSES, None)
  np.testing.assert_allclose(
    tester(keys, support(), host), tester(keys, support(), source)
  )


def test_a_centred_network_starts_at_zero_and_learns():
  learner = centred(NETWORKS['convnet'](SHAPE, CLASSES, width=3, norm='batch'))
  optimizer = optax.sgd(0.1)
  model = fresh_model(learner, optimizer, KEY)
  data = support()
  assert not np.any(learner.apply(model.variables, data.image)[0].logits)
  batch = Batch(data, jnp.ones(6))
  moved = train_step(learner, optimizer, squared_error, model, batch)
  assert np.any(learner.apply(moved.variables, data.image)[0].logits)
  same = jax.tree.map(
    np.array_equal, moved.variables['start'], model.variables['start']
  )
  assert all(jax.tree.leaves(same))


def test_protocols_say_how_many_networks():
  setting = Setting(SHAPE, CLASSES, network=network())
  assert protocol('krr-random', setting).name == 'krr-random'
  many = protocol('krr-random', setting._replace(networks=64))
  assert many.name == 'krr-random of 64'


def test_more_steps_fit_the_scaled_labels():
  setting = Setting(
    SHAPE, CLASSES, label_encoding='centred', network=network(64)
  )
  data = DistilledData(*support())
  train = resident(*arrays(6), CLASSES, None)
  found = [
    float(
      protocol('rfad-nn-mnist', setting._replace(steps=n))
      .score(KEY[None], data, train)
      .mean()
    )
    for n in (1, 400)
  ]
  assert found[1] == 1.0 and found[1] >= found[0]
