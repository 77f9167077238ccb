"""Fewer images than classes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.data.source import resident
from dd_jax.methods.dd import dd
from dd_jax.methods.dm import dm
from dd_jax.networks import convnet, mlp
from dd_jax.parameterization import less_than_one_shot
from dd_jax.types import UserError

SHAPE, CLASSES = (8, 8, 1), 4


def source():
  """Every class is a bright quarter of the image."""
  draw = np.random.default_rng(0)
  label = np.arange(80) % CLASSES
  image = 0.3 * draw.normal(size=(80, 2, 2, 16))
  image[np.arange(80), label // 2, label % 2] += 1
  image = image.reshape(80, 2, 2, 4, 4).transpose(0, 1, 3, 2, 4)
  image = image.reshape(80, *SHAPE).astype(np.float32)
  return resident(image, label, CLASSES, None)


def test_starts_from_the_first_classes():
  params, constants = less_than_one_shot(images=3).init(
    jax.random.key(0), source()
  )
  data = less_than_one_shot(images=3).decode(params, constants)
  assert data.image.shape == (3, *SHAPE)
  np.testing.assert_array_equal(data.label, np.eye(3, CLASSES))


def test_two_images_teach_four_classes():
  network = mlp(SHAPE, CLASSES, width=16, depth=1)
  method = dd(
    less_than_one_shot(images=2),
    network,
    optax.adam(0.05),
    batch_size=80,
    step_size=0.5,
    epochs=5,
    init_seed=1,
  )
  state = method.init(jax.random.key(0), source())
  update = jax.jit(method.update)
  for t in range(60):
    batch = method.sample(jax.random.key(t), jnp.int32(t), source())
    state, metrics = update(jax.random.key(t), jnp.int32(t), state, batch)
  assert metrics['batch_accuracy'] > 0.7  # of two images alone: 0.5
  assert method.distilled(state).image.shape == (2, *SHAPE)


def test_a_method_that_compares_classes_refuses_it():
  network = convnet(SHAPE, CLASSES, width=4, depth=1)
  few = less_than_one_shot(images=2)
  with pytest.raises(UserError, match='has not as many images of each class'):
    dm(few, network, optax.sgd(0.1), batch_size=4)


def test_refusals():
  with pytest.raises(UserError, match="labels='fixed'"):
    less_than_one_shot(labels='fixed')
  with pytest.raises(UserError, match='images=0'):
    less_than_one_shot(images=0)
  with pytest.raises(UserError, match='images=5: allowed are 1 to 4'):
    less_than_one_shot(images=5).init(jax.random.key(0), source())
