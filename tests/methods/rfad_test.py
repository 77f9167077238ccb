"""RFAD against NumPy, and its random kernel against the exact one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import resident
from dd_jax.kernels import Ridge, conv_kernel, dense_kernel
from dd_jax.methods.rfad import random_kernels, rfad
from dd_jax.networks import NETWORKS, Network, from_flax
from dd_jax.networks.mlp import MLP
from dd_jax.parameterization import pixels
from dd_jax.types import UserError

CLASSES, IPC, SHAPE = 3, 2, (4, 4, 1)
CENTRED = LabelEncoding('centred')
KEY = jax.random.key(0)
RIDGE = 1e-2


def toy(size=30, dtype=np.float32):
  rng = np.random.default_rng(0)
  label = np.arange(size) % CLASSES
  image = rng.normal(size=(size, *SHAPE)) + label[:, None, None, None]
  return resident(image.astype(dtype), label.astype(np.int32), CLASSES, None)


def network(width=8):
  """One hidden layer, initialised as RFAD's; in the dtype switched on."""
  plain = from_flax(MLP((width,), CLASSES, 'nngp'), SHAPE)

  def init(key):
    cast = lambda a: a.astype(jnp.zeros(()).dtype)
    return jax.tree.map(cast, plain.init(key))

  return Network(init, plain.apply)


def make(optimizer=None, **settings):
  defaults = {'batch_size': 12, 'networks': 3, 'ridge': Ridge(RIDGE)}
  return rfad(
    pixels(IPC, encoding=CENTRED),
    network(),
    optimizer or optax.sgd(1.0),
    SHAPE,
    **{**defaults, **settings},
  )


def step(method, dtype=np.float64):
  source = toy(dtype=dtype)
  state = method.init(KEY, source)
  batch = method.sample(KEY, jnp.int32(0), source)
  moved, metrics = jax.jit(method.update)(KEY, jnp.int32(0), state, batch)
  return state, batch, moved, metrics


def members(count, width=8):
  """The networks that the first update draws."""
  key = jax.random.split(KEY, 4)[0]
  keys = jax.random.split(key, count) if count > 1 else key[None]
  return [network(width).init(k) for k in keys]


def plain_features(variables, x):
  layer = variables['params']['Dense_0']
  x = np.asarray(x, float).reshape(len(x), -1)
  return np.maximum(x @ np.asarray(layer['kernel']) + layer['bias'], 0)


def plain_loss(data, batch, nets, kind, transform=None):
  image = np.asarray(data['image'], float)
  if transform is not None:
    image = (image.reshape(len(image), -1) @ transform).reshape(image.shape)
  gram = lambda a, b: (
    sum(
      2 / 8 * plain_features(v, a) @ plain_features(v, b).T + 0.01 for v in nets
    )
    / len(nets)
  )
  k = gram(image, image)
  lam = RIDGE * np.trace(k) / len(k)
  weights = np.linalg.solve(k + lam * np.eye(len(k)), np.asarray(data['label']))
  prediction = gram(batch.image, image) @ weights
  one_hot = np.asarray(batch.label)
  if kind == 'squared_error':
    return 0.5 * np.mean((prediction - (one_hot - 1 / CLASSES)) ** 2)
  log_sum = np.log(np.exp(prediction).sum(-1))
  return np.mean(log_sum - (one_hot * prediction).sum(-1))


@pytest.mark.parametrize('kind', ['cross_entropy', 'squared_error'])
@pytest.mark.parametrize('count', [1, 3])
@pytest.mark.usefixtures('x64')
def test_loss_and_gradient_are_numpys(kind, count):
  state, batch, moved, metrics = step(make(loss=kind, networks=count))
  data = {k: np.asarray(v) for k, v in state.params['data'].items()}
  nets = members(count)
  loss = functools.partial(plain_loss, batch=batch, nets=nets, kind=kind)
  assert float(metrics['loss']) == pytest.approx(loss(data), rel=1e-9)
  gradient = data['image'] - np.asarray(moved.params['data']['image'])
  rng = np.random.default_rng(1)
  for _ in range(3):
    direction = rng.normal(size=data['image'].shape)
    shifted = [
      loss({**data, 'image': data['image'] + h * direction})
      for h in (1e-6, -1e-6)
    ]
    slope = (shifted[0] - shifted[1]) / 2e-6
    assert np.vdot(gradient, direction) == pytest.approx(slope, rel=1e-5)


@pytest.mark.usefixtures('x64')
def test_networks_are_new_every_step():
  method = make()
  source = toy(dtype=np.float64)
  state = method.init(KEY, source)
  batch = method.sample(KEY, jnp.int32(0), source)
  update = jax.jit(method.update)
  losses = {
    float(update(jax.random.key(i), jnp.int32(0), state, batch)[1]['loss'])
    for i in (0, 1, 2)
  }
  assert len(losses) == 3


@pytest.mark.usefixtures('x64')
def test_transform_starts_as_the_identity_and_is_baked_in():
  method = make(transform_rate=1e-2)
  state, batch, moved, metrics = step(method)
  data = state.params['data']
  plain = plain_loss(data, batch, members(3), 'cross_entropy')
  assert float(metrics['loss']) == pytest.approx(plain, rel=1e-9)
  np.testing.assert_allclose(method.distilled(state).image, data['image'])
  transform = np.asarray(moved.params['extra']['transform'])
  assert 0 < abs(transform - np.eye(16)).max() < 0.1
  baked = method.distilled(moved).image.reshape(CLASSES * IPC, -1)
  raw = moved.params['data']['image'].reshape(CLASSES * IPC, -1)
  np.testing.assert_allclose(baked, raw @ transform, atol=1e-12)


def test_scale_is_learned_and_starts_at_one():
  _, _, moved, metrics = step(make(), np.float32)
  assert float(metrics['temperature']) == 1.0
  # AdaBelief's first step is its step size.
  assert abs(float(moved.params['extra']['log_scale'])) == pytest.approx(
    0.01, rel=0.2
  )


def test_many_networks_give_the_exact_kernel():
  """The error is that of a Monte-Carlo mean: a quarter with 16 times more."""
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.normal(size=(6, *SHAPE)), jnp.float32)
  y = jnp.asarray(rng.normal(size=(5, *SHAPE)), jnp.float32)
  exact = dense_kernel('nngp')(y, x)
  learner = network(64)
  estimate = jax.jit(
    lambda keys: random_kernels(learner, jax.vmap(learner.init)(keys), x, y)[1]
  )
  errors = []
  for count in (8, 128):
    found = [
      estimate(jax.random.split(jax.random.key(i), count)) for i in range(8)
    ]
    rms = np.sqrt(np.mean([(f - exact) ** 2 for f in found]))
    errors.append(rms / np.sqrt(np.mean(exact**2)))
  assert errors[1] < 0.05
  assert 2.5 < errors[0] / errors[1] < 6


@pytest.mark.slow
def test_many_wide_networks_give_the_exact_convolutional_kernel():
  """RFAD's own networks: within 2 % with 512, one over the root before."""
  shape = (32, 32, 3)
  learner = NETWORKS['nngp_convnet'](shape, 10, width=256)
  x = jax.random.normal(KEY, (4, *shape))
  exact = conv_kernel('nngp', architecture='convnet3')(x, None)

  @jax.jit
  def estimate(keys):
    one = lambda k: random_kernels(
      learner, jax.tree.map(lambda a: a[None], learner.init(k)), x, x
    )[0]
    return jax.lax.map(one, keys)

  each = np.asarray(estimate(jax.random.split(KEY, 512)))
  norm = np.linalg.norm(exact)
  assert np.linalg.norm(each.mean(0) - exact) / norm < 0.02
  groups = lambda size: each.reshape(-1, size, 4, 4).mean(1)
  errors = {
    size: np.sqrt(np.mean((groups(size) - exact) ** 2)) for size in (2, 32)
  }
  assert 3 < errors[2] / errors[32] < 5.3


@pytest.mark.usefixtures('x64')
def test_chunks_and_remainders_change_nothing():
  learner = network()
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.normal(size=(35, *SHAPE)))
  y = jnp.asarray(rng.normal(size=(70, *SHAPE)))
  variables = jax.vmap(learner.init)(jax.random.split(KEY, 2))
  k_ss, k_ts = random_kernels(learner, variables, x, y)
  each = [jax.tree.map(lambda a, i=i: a[i], variables) for i in range(2)]
  for found, left in ((k_ss, x), (k_ts, y)):
    plain = sum(
      2 / 8 * plain_features(v, left) @ plain_features(v, x).T for v in each
    )
    np.testing.assert_allclose(found, plain / 2 + 0.01, atol=1e-12)


def test_network_is_initialised_as_published():
  params = NETWORKS['nngp_convnet']((28, 28, 1), 10, width=64).init(KEY)
  params = params['params']
  for name, fan_in in (('Conv_0', 9), ('Conv_1', 576), ('head', 576)):
    layer = params[name]
    assert float(layer['kernel'].std()) == pytest.approx(
      (2 / fan_in) ** 0.5, rel=0.1
    )
    assert float(abs(layer['bias']).max()) < 0.5
  assert params['head']['kernel'].shape[0] == 64 * 9  # 28, 14, 7, 3


@pytest.mark.parametrize(
  'settings, words',
  [
    ({'loss': 'mse'}, "loss='mse'"),
    ({'networks': 0}, 'networks=0'),
    ({'transform_rate': -1.0}, 'transform_rate=-1.0'),
  ],
)
def test_mistakes_are_told_in_one_line(settings, words):
  with pytest.raises(UserError, match=words):
    make(**settings)
  with pytest.raises(UserError, match=r'network\.depth=6'):
    NETWORKS['nngp_convnet']((32, 32, 3), 10, depth=6)


def test_a_map_would_take_images_out_of_their_range():
  kept = pixels(IPC, range='data', into_range=lambda image: image)
  rfad(kept, network(), optax.sgd(1.0), SHAPE)
  with pytest.raises(UserError, match=r"transform_rate=0.1: .* range 'free'"):
    rfad(kept, network(), optax.sgd(1.0), SHAPE, transform_rate=0.1)
