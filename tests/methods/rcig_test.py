"""RCIG against an unrolled inner problem, dense algebra and differences."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import resident
from dd_jax.kernels import Ridge
from dd_jax.losses import label_margin, soft_cross_entropy
from dd_jax.methods import rcig as module
from dd_jax.methods.rcig import inner_problem, linearised, rcig
from dd_jax.networks import NETWORKS, Network
from dd_jax.parameterization import pixels
from dd_jax.training import fresh_model
from dd_jax.types import UserError

CLASSES, IPC, SHAPE = 3, 2, (4, 4, 1)
CENTRED = LabelEncoding('centred')
KEY = jax.random.key(0)
RIDGE = 0.1


@pytest.fixture(autouse=True, scope='module')
def compile_quickly():
  """Tiny programs, run a few times: compiling them is all the cost."""
  jax.config.update('jax_disable_most_optimizations', True)
  yield
  jax.config.update('jax_disable_most_optimizations', False)


def toy(size=30, dtype=np.float32):
  rng = np.random.default_rng(0)
  label = np.arange(size) % CLASSES
  image = rng.normal(size=(size, *SHAPE)) + label[:, None, None, None]
  return resident(image.astype(dtype), label.astype(np.int32), CLASSES, None)


def network():
  """A perceptron in the dtype that is switched on."""
  plain = NETWORKS['mlp'](SHAPE, CLASSES, width=12)

  def init(key):
    cast = lambda a: a.astype(jnp.zeros(()).dtype)
    return jax.tree.map(cast, plain.init(key))

  return Network(init, plain.apply)


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


@pytest.mark.usefixtures('x64')
def test_inner_problem_is_dense_algebra():
  learner = network()
  tangent = linearised(learner, fresh_model(learner, optax.sgd(0.1), KEY))
  rng = np.random.default_rng(0)
  image = jnp.asarray(rng.normal(size=(5, *SHAPE)))
  label = rng.normal(size=(5, CLASSES))
  problem = inner_problem(tangent, image, 0.3, 200)
  flat, unravel = ravel_pytree(tangent.weights)
  run = lambda w: tangent.forward(unravel(w), image)[1].ravel()
  j = np.asarray(jax.jacobian(run)(flat))
  h = np.asarray(tangent.forward(tangent.weights, image)[0])
  system = np.kron(h @ h.T + 0.3 * np.eye(5), np.eye(CLASSES))
  delta = j.T @ np.linalg.solve(system + j @ j.T, label.ravel())
  found = ravel_pytree(problem.optimum(jnp.asarray(label)))[0]
  np.testing.assert_allclose(found, delta, atol=1e-6)
  g = rng.normal(size=flat.size)
  hessian = np.eye(flat.size) + j.T @ np.linalg.solve(system, j)
  found = ravel_pytree(problem.inverse_hessian(unravel(jnp.asarray(g))))[0]
  np.testing.assert_allclose(found, np.linalg.solve(hessian, g), atol=1e-5)


def test_implicit_part_is_limited_by_the_direct_one():
  direct = {'a': jnp.array([3.0, 4.0]), 'b': jnp.array([1.0])}
  implicit = {'a': jnp.array([0.0, 50.0]), 'b': jnp.array([0.5])}
  change, share = module._combined(direct, implicit, 1.0)
  np.testing.assert_allclose(change['a'], [3.0, 9.0], rtol=1e-6)
  np.testing.assert_allclose(change['b'], [1.5], rtol=1e-6)
  assert float(share) == pytest.approx(50.0025 / 26**0.5, rel=1e-6)
  alone, _ = module._combined(direct, implicit, 0.0)
  np.testing.assert_allclose(alone['a'], direct['a'])


def test_a_gradient_that_is_not_finite_counts_nothing():
  direct = {'a': jnp.array([1.0, 2.0])}
  broken = {'a': jnp.array([jnp.nan, 1.0])}
  change, _ = module._combined(direct, broken, 1.0)
  np.testing.assert_allclose(change['a'], [1.0, 3.0])


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


def test_linearises_around_the_network_itself():
  """Its tangent is what logits do when the weights move a little."""
  learner = NETWORKS['frepo_convnet'](
    (8, 8, 1), CLASSES, width=3, depth=2, norm='batch', sharpness=60.0
  )
  tangent = linearised(learner, fresh_model(learner, optax.sgd(0.1), KEY))
  x = jax.random.normal(KEY, (2, 8, 8, 1))
  delta = jax.tree.map(jnp.ones_like, tangent.weights)
  _, push = tangent.at(x)
  moved = optax.tree.add_scale(tangent.weights, 1e-3, delta)
  back = optax.tree.add_scale(tangent.weights, -1e-3, delta)
  run = lambda w: tangent.forward(w, x)[1]
  np.testing.assert_allclose(
    push(delta), (run(moved) - run(back)) / 2e-3, rtol=0.02, atol=0.02
  )


def test_mistakes_are_told_in_one_line():
  learner = network()
  renamed = learner._replace(init=lambda key: {'params': {'last': key}})
  model = fresh_model(renamed, optax.sgd(0.1), KEY)
  with pytest.raises(UserError, match="called 'head'; this one has last"):
    linearised(renamed, model)
  with pytest.raises(UserError, match='iterations=0'):
    make(iterations=0)
  with pytest.raises(UserError, match=r'average=1\.0'):
    make(average=1.0)
  with pytest.raises(UserError, match=r'inner_steps=\(1, 0\)'):
    make(inner_steps=0)


def test_pull_and_push_are_transposes():
  learner = network()
  tangent = linearised(learner, fresh_model(learner, optax.sgd(0.1), KEY))
  rng = np.random.default_rng(1)
  x = jnp.asarray(rng.normal(size=(4, *SHAPE)), jnp.float32)
  cotangent = jnp.asarray(rng.normal(size=(4, CLASSES)), jnp.float32)
  delta = jax.tree.map(
    lambda a: jnp.asarray(rng.normal(size=a.shape), jnp.float32),
    tangent.weights,
  )
  left = optax.tree.vdot(tangent.pull(x, cotangent), delta)
  right = jnp.vdot(cotangent, tangent.at(x)[1](delta))
  assert float(left) == pytest.approx(float(right), rel=1e-4)
