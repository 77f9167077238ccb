"""Every program as an accelerator gets it, traced and lowered by a CPU.

Sizes that should be a batch axis are of lengths that no loop has.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.evaluation.protocols import PROTOCOLS, Setting, protocol
from dd_jax.kernels import conv_kernel
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import NETWORKS
from dd_jax.platform import ACCELERATOR, CPU
from dd_jax.run import recipe
from dd_jax.testing import exported
from dd_jax.training import epochs, fresh_model, train, train_many, train_step
from dd_jax.types import DistilledData
from experiments.benchmarks.measure import CLASSES, noise
from experiments.benchmarks.sizes import TINY
from experiments.benchmarks.updates import problem

SHAPE = (16, 16, 3)
MANY = 13  # learners, ensemble members
QUICK = ('dc',)
UNROLLED = ('bptt', 'rat_bptt', 'dd', 'sldd')
"""Their networks go one after the other: each is held step by step."""
METHODS = [m for m in recipe.METHODS if m not in recipe.SELECTIONS]


def update_of(name, platform=ACCELERATOR):
  """An outer step and its arguments."""
  made = problem(name, TINY)
  if 'networks' in made.config['method'] and name not in UNROLLED:
    made.config['method']['networks'] = MANY
  made.config['parameterization']['start'] = 'noise'
  method = made.method(platform)
  return method.update, made.arguments(method)


@pytest.mark.parametrize(
  'name',
  [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name in METHODS
  ],
)
def test_an_outer_step(name):
  exported.suits(*update_of(name), axes=(CLASSES, MANY))


def test_a_loop_over_classes_is_seen():
  """As a CPU has it, one class after the other."""
  with pytest.raises(AssertionError, match=f'batched: .*{CLASSES}'):
    exported.suits(*update_of('dc', CPU), axes=(CLASSES,))


@pytest.mark.slow
@pytest.mark.parametrize(
  ('architecture', 'shape'),
  [('convnet', (8, 8, 3)), ('myrtle5', (8, 8, 3)), ('convnet', (28, 28, 1))],
)
def test_a_convolutional_kernel(architecture, shape):
  kernel = conv_kernel(architecture=architecture, platform=ACCELERATOR)
  images = [jax.ShapeDtypeStruct((n, *shape), jnp.float32) for n in (4, 6)]
  exported.suits(kernel, images)
  loss = lambda x, y: jnp.sum(kernel(x, y) ** 2)
  exported.suits(jax.grad(loss), images)


@pytest.mark.slow
@pytest.mark.parametrize('name', PROTOCOLS)
def test_a_score(name):
  network = NETWORKS['convnet'](SHAPE, CLASSES, width=4)
  setting = Setting(
    SHAPE, CLASSES, network=network, steps=5, platform=ACCELERATOR
  )
  chosen = protocol(name, setting)
  data = DistilledData(noise(SHAPE, CLASSES).image, jnp.eye(CLASSES))
  keys = jax.random.split(jax.random.key(0), 1 if chosen.exact else MANY)
  arguments = keys, data, noise(SHAPE, 40)
  exported.suits(chosen.score, arguments, axes=(MANY,))


def test_experts_together():
  network = NETWORKS['convnet'](SHAPE, CLASSES, width=4)
  network = network._replace(platform=ACCELERATOR)
  optimizer, real = optax.sgd(0.1), noise(SHAPE, 40)
  step = functools.partial(train_step, network, optimizer, soft_cross_entropy)

  def one(key, data):
    batches, _ = epochs(key, data, 8)
    return train(step, fresh_model(network, optimizer, key), batches, 5)

  def many(keys, data):
    return train_many(lambda key: one(key, data), keys, network.runs_on)

  keys = jax.random.split(jax.random.key(0), MANY)
  exported.suits(many, (keys, real.take(jnp.arange(40))), axes=(MANY,))


LARGE = np.random.default_rng(0).normal(size=(600, 600)).astype(np.float32)
BAD = {
  'stays_on_device': lambda x: jax.pure_callback(np.sin, x, x),
  'single': lambda x: x.astype(jnp.float64),
  'small': lambda x: jnp.sum(jnp.asarray(LARGE) * x[0]),
  'batched': lambda x: jax.lax.map(jnp.sin, x),
}
"""What each law is there to refuse."""


@pytest.mark.parametrize('law', sorted(BAD))
def test_each_law_refuses_something(law, x64):
  with pytest.raises(AssertionError, match=law):
    exported.suits(BAD[law], [jnp.ones(MANY, jnp.float32)], axes=(MANY,))
