"""Small classes of images, and the steps of a method on them."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.data.source import Source, resident
from dd_jax.distiller import Distiller, State
from dd_jax.methods.idc import idc
from dd_jax.networks import NETWORKS, Network, Outputs
from dd_jax.parameterization import pixels
from dd_jax.types import Metrics

KEY = jax.random.key(0)
CLASSES, IPC = 3, 2


def noisy_classes(size, shape, classes=CLASSES, dtype=np.float32):
  """A source of `size` images in turn of classes whose means differ."""
  rng = np.random.default_rng(0)
  label = np.arange(size) % classes
  image = rng.normal(size=(size, *shape)) + label[:, None, None, None]
  return resident(image.astype(dtype), label.astype(np.int32), classes, None)


class Step(NamedTuple):
  """One outer step of a method."""

  before: State
  batch: Any
  after: State
  metrics: Metrics


def step(
  method: Distiller,
  source: Source,
  state: State | None = None,
  t: int = 0,
  key: jax.Array = KEY,
) -> Step:
  """From `state`, by default that of the start."""
  state = state or method.init(KEY, source)
  batch = method.sample(jax.random.key(t), jnp.int32(t), source)
  after, metrics = jax.jit(method.update)(key, jnp.int32(t), state, batch)
  return Step(state, batch, after, metrics)


class Gradients:
  """What the tests of gradient matching share."""

  shape = (4, 4, 1)

  def source(self, dtype=np.float32, size=41):
    return noisy_classes(size, self.shape, dtype=dtype)

  def network(self, name='mlp', **settings):
    """In the dtype that is switched on."""
    size = {'width': 6, **settings}
    plain = NETWORKS[name](self.shape, CLASSES, **size)

    def init(key):
      cast = lambda a: a.astype(jnp.zeros(()).dtype)
      return jax.tree.map(cast, plain.init(key))

    return Network(init, plain.apply)

  def make(
    self, method, learner=None, optimizer=None, labels='free', **settings
  ):
    if method is idc:
      small = {'matched': 'weights', 'train_size': 8, 'inner_batch_size': 8}
      settings = {**small, **settings}
    return method(
      pixels(IPC, labels=labels),
      learner or self.network(),
      optimizer or optax.sgd(1.0),
      CLASSES if method is idc else IPC,
      **{'batch_size': 5, **settings},
    )

  def start(self, method, source=None):
    return method.init(KEY, source or self.source())

  def step(self, method, state=None, t=0, key=KEY, source=None):
    return step(method, source or self.source(), state, t, key)


def flat(image):
  """Features are the pixels, taps as well, twice and three times."""
  x = image.reshape(len(image), -1)
  return Outputs(x[:, :CLASSES], x, (image, 2 * image, 3 * image, image))


PLAIN = Network(  # without weights
  lambda key: {'params': {}},
  lambda variables, image, train=False: (flat(image), variables),
)


@functools.cache
def convnet(norm='instance', depth=2):
  size = {'width': 4, 'depth': depth, 'norm': norm}
  return NETWORKS['convnet'](Toys.shape, CLASSES, **size)


class Toys:
  """What the tests of distribution matching share."""

  shape = (8, 8, 1)
  plain = PLAIN
  convnet = staticmethod(convnet)

  def source(self, size=90, dtype=np.float32, classes=CLASSES):
    return noisy_classes(size, self.shape, classes, dtype)

  def make(self, method, network=PLAIN, optimizer=None, **settings):
    return method(
      pixels(IPC, labels='fixed'),
      network,
      optimizer or optax.sgd(1.0),
      **{'batch_size': 12, **settings},
    )

  def step(self, method, source=None, state=None):
    return step(method, source or self.source(), state)

  def support(self, state):
    """Class by class: `[k, m, pixels]`."""
    return np.asarray(state.params['data']['image']).reshape(CLASSES, IPC, -1)

  def real(self, batch):
    """Class by class: `[k, b, pixels]`."""
    image = np.asarray(batch.image)
    return image.reshape(*image.shape[:2], -1).swapaxes(0, 1)


@pytest.fixture(scope='session', name='noisy_classes')
def _noisy_classes():
  """`noisy_classes(size, shape, classes, dtype)`: a source."""
  return noisy_classes


@pytest.fixture(scope='session')
def gradients():
  """For gradient matching."""
  return Gradients()


@pytest.fixture(scope='session')
def toys():
  """For distribution matching."""
  return Toys()
