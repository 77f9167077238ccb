"""Kernel and feature regression against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.data.source import HostSource, resident
from dd_jax.evaluation.learners import Recipe, trained
from dd_jax.evaluation.regression import feature_test, kernel_test
from dd_jax.kernels import Ridge
from dd_jax.losses import squared_error
from dd_jax.networks import NETWORKS
from dd_jax.types import LabeledData

SHAPE, CLASSES = (2, 2, 1), 3


def arrays(size=77):
  rng = np.random.default_rng(0)
  label = rng.integers(0, CLASSES, size).astype(np.int32)
  image = rng.normal(size=(size, *SHAPE)) + label[:, None, None, None]
  return image.astype(np.float32), label


def sources():
  return {
    'resident': resident(*arrays(), CLASSES, None),
    'host': HostSource(*arrays(), None, CLASSES),
  }


def support():
  image = np.random.default_rng(1).normal(size=(6, *SHAPE)).astype(np.float32)
  return LabeledData(jnp.asarray(image), jnp.eye(6)[:, :CLASSES] - 1 / CLASSES)


def regression(phi_s, phi_t, label, ridge):
  k = phi_s @ phi_s.T
  system = k + ridge * np.trace(k) / len(k) * np.eye(len(k))
  return phi_t @ phi_s.T @ np.linalg.solve(system, label)


def flat(image):
  return np.asarray(image, float).reshape(len(image), -1)


def linear(x1, x2):
  x2 = x1 if x2 is None else x2
  return x1.reshape(len(x1), -1) @ x2.reshape(len(x2), -1).T


@pytest.mark.parametrize('kind', ['resident', 'host'])
@pytest.mark.parametrize('ridge', [1e-2, 10.0])
def test_kernel_regression(kind, ridge):
  data = support()
  found = kernel_test(linear, Ridge(ridge))(data, sources()[kind])
  image, label = arrays()
  guess = regression(
    flat(data.image), flat(image), np.asarray(data.label), ridge
  )
  expected = np.mean(guess.argmax(1) == label)
  np.testing.assert_allclose(found, expected, atol=1e-6)
  assert 0.2 < expected < 0.95  # a score that means something


@pytest.mark.parametrize('kind', ['resident', 'host'])
def test_feature_regression(kind):
  network = NETWORKS['mlp'](SHAPE, CLASSES, width=16, depth=1)
  recipe = Recipe(network, optax.sgd(0.1), squared_error, 5, 10)
  keys = jax.random.split(jax.random.key(0), 2)
  data = support()
  found = feature_test(recipe, Ridge(1e-2))(keys, data, sources()[kind])
  image, label = arrays()
  for key, accuracy in zip(keys, found, strict=True):
    variables = trained(recipe, key, data)
    phi = lambda x, v=variables: np.asarray(
      network.apply(v, jnp.asarray(x))[0].features, float
    )
    guess = regression(
      phi(data.image), phi(image), np.asarray(data.label), 1e-2
    )
    expected = np.mean(guess.argmax(1) == label)
    np.testing.assert_allclose(accuracy, expected, atol=1e-6)
