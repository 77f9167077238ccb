"""What the tests of unrolled training share: a little data, small methods."""

import numpy as np
import optax

from dd_jax.data.source import resident
from dd_jax.networks import mlp
from dd_jax.parameterization import pixels

SHAPE, CLASSES = (2, 2, 1), 3


def data(seed, size):
  draw = np.random.default_rng(seed)
  image = draw.normal(size=(size, *SHAPE))
  return image, draw.dirichlet(np.ones(CLASSES), size)


def source():
  draw = np.random.default_rng(2)
  image = draw.normal(size=(60, *SHAPE)).astype(np.float32)
  return resident(image, np.arange(60) % CLASSES, CLASSES, None)


def made(method, **settings):
  sizes = {'batch_size': 6, 'inner_steps': 5, **settings}
  network = mlp(SHAPE, CLASSES, width=4, depth=1)
  return method(pixels(1), network, optax.adam(1e-2), **sizes)
