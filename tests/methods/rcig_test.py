"""RCIG against an unrolled inner problem; its average, its pool."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree
from precision import in_double

from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import resident
from dd_jax.kernels import Ridge
from dd_jax.losses import label_margin, soft_cross_entropy
from dd_jax.methods.rcig import rcig
from dd_jax.networks import NETWORKS
from dd_jax.parameterization import pixels
from dd_jax.types import UserError

CLASSES, IPC, SHAPE = 3, 2, (4, 4, 1)
CENTRED = LabelEncoding('centred')
KEY = jax.random.key(0)
RIDGE = 0.1


def toy(size=30, dtype=np.float32):
  rng = np.random.default_rng(0)
  label = np.arange(size) % CLASSES
  image = rng.normal(size=(size, *SHAPE)) + label[:, None, None, None]
  return resident(image.astype(dtype), label.astype(np.int32), CLASSES, None)


def network():
  return in_double(NETWORKS['mlp'](SHAPE, CLASSES, width=12))


def make(optimizer=None, learner=None, **settings):
  defaults = {
    'batch_size': 40,
    'ridge': Ridge(RIDGE, 'absolute'),
    'pool_size': 3,
    'max_age': 9,
    'inner_steps': 4,
    'inner_optimizer': optax.sgd(0.05),
    'iterations': 100,
  }
  return rcig(
    pixels(IPC, encoding=CENTRED),
    learner or network(),
    optimizer or optax.sgd(1.0),
    **{**defaults, **settings},
  )


def outer_gradient(method, dtype=np.float64):
  """`(model, params, batch, gradient)` of one step, read off plain SGD."""
  source = toy(dtype=dtype)
  state = method.init(KEY, source)
  one = jax.tree.map(lambda a: a[:1], state.models)
  state = state._replace(
    models=jax.tree.map(lambda a: jnp.repeat(a, 3, 0), one)
  )
  batch = method.sample(KEY, jnp.int32(0), source)
  moved, metrics = jax.jit(method.update)(KEY, jnp.int32(0), state, batch)
  data = state.params['data']
  gradient = jax.tree.map(jnp.subtract, data, moved.params['data'])
  model = jax.tree.map(lambda a: a[0], one)
  return model, data, batch, gradient, metrics


def with_flips(image, label):
  return jnp.concatenate([image, image[:, :, ::-1]]), jnp.tile(label, (2, 1))


def unrolled_loss(data, model, batch, flip, steps=1500):
  """The outer loss after gradient descent, from zero, on both parts at once.

  The inner problem as the paper states it, last layer and tangent part primal:
  |y - J d - h w|^2 / 2 + lambda (|w|^2 + |d|^2) / 2.
  """
  image, label = data['image'], data['label']
  lam = RIDGE * len(image)
  if flip:
    image, label = with_flips(image, label)
  params = model.variables['params']
  body = {k: v for k, v in params.items() if k != 'head'}
  flat, unravel = ravel_pytree(body)

  def outputs(x, delta, w):
    def run(flat):
      full = {**unravel(flat), 'head': params['head']}
      out = network().apply({'params': full}, x)[0]
      return out.logits, out.features

    (_, h), (tangent, _) = jax.jvp(run, (flat,), (delta,))
    return tangent + h @ w

  def inner(delta, w, image, label):
    error = jnp.sum((label - outputs(image, delta, w)) ** 2)
    return (error + lam * (jnp.sum(delta**2) + jnp.sum(w**2))) / 2

  curvature = 60.0 if not flip else 120.0
  width = params['head']['kernel'].shape[0]
  start = jnp.zeros_like(flat), jnp.zeros((width, CLASSES), flat.dtype)
  still = jax.tree.map(jnp.zeros_like, start)

  def step(carry, _):
    here, speed = carry
    g = jax.grad(inner, (0, 1))(*here, image, label)
    speed = jax.tree.map(lambda s, g: 0.9 * s - g / curvature, speed, g)
    return (jax.tree.map(jnp.add, here, speed), speed), None

  ((delta, w), _), _ = jax.lax.scan(step, (start, still), None, steps)
  logits = outputs(batch.image, delta, w)
  error = jnp.mean(soft_cross_entropy(logits, batch.label))
  return error + label_margin(data['label'], 0.5)


@pytest.mark.parametrize('flip', [False, True])
@pytest.mark.usefixtures('x64')
def test_gradient_is_that_of_the_unrolled_inner_problem(flip):
  method = make(flip=flip, implicit=1e9)
  model, data, batch, found, metrics = outer_gradient(method)
  unrolled = functools.partial(
    unrolled_loss, model=model, batch=batch, flip=flip
  )
  value, expected = jax.jit(jax.value_and_grad(unrolled))(data)
  assert metrics['loss'] == pytest.approx(float(value), rel=1e-6)
  assert metrics['implicit_share'] > 0.1
  for name in ('image', 'label'):
    a, b = np.ravel(found[name]), np.ravel(expected[name])
    cosine = a @ b / np.sqrt((a @ a) * (b @ b))
    assert cosine >= 0.99999
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * abs(b).max())


def test_returns_the_moving_average():
  method = make(optax.sgd(0.1), average=0.9)
  source = toy()
  state = method.init(KEY, source)
  mean = state.params['data']['image']
  update = jax.jit(method.update)
  for i in range(3):
    batch = method.sample(jax.random.key(i), jnp.int32(i), source)
    state, _ = update(jax.random.key(i), jnp.int32(i), state, batch)
    mean = 0.9 * mean + 0.1 * state.params['data']['image']
  np.testing.assert_allclose(method.distilled(state).image, mean, rtol=1e-6)


def test_the_network_in_use_takes_a_drawn_number_of_steps():
  method = make(max_age=1000, pool_size=1)
  source = toy()
  state = method.init(KEY, source)
  update = jax.jit(method.update)
  batch = method.sample(KEY, jnp.int32(0), source)
  grown = [
    int(update(jax.random.key(i), jnp.int32(0), state, batch)[0].models.age[0])
    for i in range(20)
  ]
  assert set(grown) == {1, 2, 3, 4}


def test_refused_before_any_compute():
  with pytest.raises(UserError, match='iterations=0'):
    make(iterations=0)
  with pytest.raises(UserError, match=r'average=1\.0'):
    make(average=1.0)
  with pytest.raises(UserError, match=r'inner_steps=\(1, 0\)'):
    make(inner_steps=0)
