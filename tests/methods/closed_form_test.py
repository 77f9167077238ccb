"""Closed-form distillation against ridge regression on all real data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.data.source import resident
from dd_jax.kernels import Ridge, dense_kernel, leaky_kernel, linear_kernel
from dd_jax.methods.closed_form import closed_form
from dd_jax.parameterization.starts import real
from dd_jax.types import UserError

CLASSES, SHAPE = 3, (4, 4, 1)
KEY = jax.random.key(0)


def toy(size=50):
  rng = np.random.default_rng(0)
  label = np.arange(size) % CLASSES
  image = rng.normal(size=(size, *SHAPE)) + label[:, None, None, None]
  return resident(image, label.astype(np.int32), CLASSES, None)


def swept(kernel, ipc, batch_size=20, sweeps=1):
  """Made of all data, in batches that do not divide them."""
  method = closed_form(
    kernel,
    ipc,
    start=real,
    batch_size=batch_size,
    ridge=Ridge(1e-5),
    real_ridge=Ridge(1e-2),
  )
  source = toy()
  state = method.init(KEY, source)
  update = jax.jit(method.update)
  for step in range(sweeps * -(-len(source) // batch_size)):
    batch = method.sample(KEY, jnp.int32(step), source)
    state, metrics = update(KEY, jnp.int32(step), state, batch)
  return method.distilled(state), metrics


@pytest.mark.parametrize('ipc', [1, 2])
@pytest.mark.parametrize('kernel', [linear_kernel(), leaky_kernel(depth=2)])
@pytest.mark.usefixtures('x64')
def test_predicts_as_all_real_data_do(kernel, ipc):
  data, _ = swept(kernel, ipc)
  source = toy()
  image, label = source.take(jnp.arange(len(source)))
  phi, y = np.asarray(kernel.features(image)), label - 1 / CLASSES
  gram = phi.T @ phi
  lam = 1e-2 * np.trace(gram) / len(gram)
  weights = np.linalg.solve(gram + lam * np.eye(len(gram)), phi.T @ y)
  assert data.image.shape == (CLASSES * ipc, *SHAPE)
  k = np.asarray(kernel(data.image, None))
  system = k + 1e-5 * np.trace(k) / len(k) * np.eye(len(k))
  dual = np.linalg.solve(system, data.label)
  fresh = jnp.asarray(np.random.default_rng(1).normal(size=(7, *SHAPE)))
  np.testing.assert_allclose(
    kernel(fresh, data.image) @ dual,
    kernel.features(fresh) @ weights,
    atol=1e-7,
  )


@pytest.mark.usefixtures('x64')
def test_another_sweep_changes_nothing():
  """The sums double, and so does the ridge, in units of their diagonal."""
  once, _ = swept(linear_kernel(), 1)
  twice, _ = swept(linear_kernel(), 1, sweeps=2)
  np.testing.assert_allclose(once.image, twice.image, rtol=1e-9)


def test_images_of_a_class_differ_as_real_ones_do():
  data, metrics = swept(linear_kernel(), 2)
  image = np.asarray(data.image).reshape(CLASSES, 2, -1)
  assert np.linalg.norm(image[:, 0] - image[:, 1], axis=-1).min() > 1
  assert metrics['slack'] > 0.9


def test_needs_features_that_can_be_inverted():
  with pytest.raises(UserError, match='allowed are linear, leaky'):
    closed_form(dense_kernel(), 1, start=real)
