"""What the tests of trajectory matching share: digits, experts, references."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from sklearn.datasets import load_digits

from dd_jax.data.source import resident
from dd_jax.distiller import Context, Learned
from dd_jax.experts import ResidentExperts, Segments, with_experts
from dd_jax.losses import soft_cross_entropy
from dd_jax.methods.mtt import mtt
from dd_jax.methods.trajectory_matching import matching_loss
from dd_jax.networks import NETWORKS
from dd_jax.parameterization import pixels
from dd_jax.types import LabeledData

CLASSES, SHAPE = 3, (8, 8, 1)
NETWORK = NETWORKS['mlp'](SHAPE, CLASSES, width=8, depth=1)


@functools.cache
def digits():
  bunch = load_digits(n_class=CLASSES)
  image = ((bunch.images[:60, ..., None] - 5) / 6).astype(np.float32)
  return image, bunch.target[:60].astype(np.int32)


def cast(tree, dtype):
  return jax.tree.map(lambda a: jnp.asarray(a, dtype), tree)


def problem(dtype):
  """A support set, and a segment whose target lies where training leads."""
  image, label = digits()
  first = [int(np.flatnonzero(label == c)[0]) for c in range(CLASSES)]
  data = LabeledData(image[first], np.eye(CLASSES))
  real = LabeledData(image, np.eye(CLASSES)[label])
  start = NETWORK.init(jax.random.key(1))['params']
  target = start
  for _ in range(20):
    target = descend(target, real, 0.1)
  flat = lambda p: np.asarray(ravel_pytree(p)[0])[None]
  segment = Segments(flat(start), flat(target), np.zeros(1))
  return cast(data, dtype), cast(segment, dtype)


@jax.jit
def descend(params, data, rate):
  def loss(params):
    logits = NETWORK.apply({'params': params}, data.image)[0].logits
    return jnp.mean(soft_cross_entropy(logits, data.label))

  return jax.tree.map(lambda p, g: p - rate * g, params, jax.grad(loss)(params))


def plain(image, rate, data, segment, num_steps):
  """The loss as it is written, in a Python loop."""
  unravel = ravel_pytree(NETWORK.init(jax.random.key(0))['params'])[1]
  params = unravel(segment.start[0])
  for _ in range(num_steps):
    params = descend(params, data._replace(image=image), rate)
  end = ravel_pytree(params)[0]
  start, target = segment.start[0], segment.target[0]
  return jnp.sum((end - target) ** 2) / jnp.sum((start - target) ** 2)


def matching(image, rate, data, segment, student):
  """The same as the package has it."""
  learned = Learned(
    data._replace(image=image), {'log_step_size': jnp.log(rate)}
  )
  context = Context(jax.random.key(0), jnp.int32(0), None)
  return matching_loss(student)(learned, segment, context)[0]


def gradients(loss, rate, dtype, *rest):
  """`(loss, gradient in the images, in the step size)` on `problem`."""
  data, segment = problem(dtype)
  rate = jnp.asarray(rate, dtype)
  value, (image, step) = jax.value_and_grad(loss, (0, 1))(
    data.image, rate, data, segment, *rest
  )
  return float(value), np.ravel(image).astype(float), float(step)


def cosine(a, b):
  return a @ b / math.sqrt((a @ a) * (b @ b))


def experts(count=3, epochs=5):
  """Networks in training on the digits: `[count, epochs, parameters]`."""
  image, label = digits()
  real = LabeledData(jnp.asarray(image), jnp.eye(CLASSES)[label])

  @jax.jit
  def one(key):
    def epoch(params, _):
      after = params
      for _ in range(4):
        after = descend(after, real, 0.1)
      return after, ravel_pytree(params)[0]

    start = NETWORK.init(key)['params']
    return jax.lax.scan(epoch, start, None, epochs)[1]

  keys = jax.random.split(jax.random.key(0), count)
  return ResidentExperts(jax.lax.map(one, keys), jnp.arange(epochs))


@functools.cache
def source():
  """The digits, and experts of them."""
  return with_experts(resident(*digits(), CLASSES, None), experts())


def build(factory=mtt, labels='fixed', **settings):
  return factory(
    pixels(2, labels=labels),
    NETWORK,
    optax.sgd(0.1),
    **{'inner_steps': 3, 'step_size': 0.1, **settings},
  )


def updated(method, count=1):
  """`(state, metrics)` after a few outer steps on the same batch."""
  state = method.init(jax.random.key(0), source())
  batch = method.sample(jax.random.key(1), jnp.int32(0), source())
  update = jax.jit(method.update)
  for _ in range(count):
    state, metrics = update(jax.random.key(2), jnp.int32(0), state, batch)
  return state, metrics
