"""What the tests of label distillation share: its data, its networks."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from precision import in_double

from dd_jax.data.source import resident
from dd_jax.networks import mlp
from dd_jax.parameterization import pixels

SHAPE, CLASSES = (2, 2, 1), 3


def source(dtype=np.float32):
  draw = np.random.default_rng(1)
  label = np.arange(90) % CLASSES
  image = draw.normal(size=(90, *SHAPE)) + label[:, None, None, None]
  return resident(image.astype(dtype), label, CLASSES, None)


def at_start(method):
  """`(state, batch)` in float64."""
  real = source(np.float64)
  state = method.init(jax.random.key(0), real)
  return state, method.sample(jax.random.key(1), jnp.int32(0), real)


def made(method, labels='simplex', **settings):
  return method(
    pixels(2, learn_images=False, labels=labels),
    in_double(mlp(SHAPE, CLASSES, width=8, depth=1)),
    optax.adam(0.02),
    batch_size=60,
    **settings,
  )


def softmax(z):
  e = np.exp(z - z.max(-1, keepdims=True))
  return e / e.sum(-1, keepdims=True)


def log_softmax(z):
  return np.log(softmax(z))
