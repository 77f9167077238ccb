"""Gradient matching against plain references, and the life of its network."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax import augment
from dd_jax.data.source import resident
from dd_jax.losses import soft_cross_entropy
from dd_jax.methods.dc import dc
from dd_jax.methods.dsa import dsa
from dd_jax.methods.gradient_matching import loops
from dd_jax.methods.idc import idc
from dd_jax.parameterization import Parameterization, pixels
from dd_jax.run import parts, recipe
from dd_jax.training import Batch, train_step
from dd_jax.types import LabeledData, UserError

CLASSES, IPC, SHAPE, REAL = 3, 2, (4, 4, 1), 5
KEY = jax.random.key(0)
RATE = 0.1


def in_use(state):
  return jax.tree.map(lambda a: a[0], state.models)


def gradient(learner, variables, image, label, matched):
  """Of the mean loss, only what is matched: a list."""

  def mean_loss(params):
    out, _ = learner.apply({**variables, 'params': params}, image)
    return jnp.mean(soft_cross_entropy(out.logits, label))

  found = jax.tree.leaves(jax.jit(jax.grad(mean_loss))(variables['params']))
  least = {'weights': 2, 'all': 0, 'convolutions': 4}[matched]
  return [np.asarray(g) for g in found if g.ndim >= least]


def angles(a, b):
  """DC's distance, output channel by output channel."""
  total = 0.0
  for x, y in zip(a, b, strict=True):
    for i in range(x.shape[-1]):
      p, q = x[..., i].ravel(), y[..., i].ravel()
      total += 1 - p @ q / (np.linalg.norm(p) * np.linalg.norm(q) + 1e-6)
  return total


def squares(a, b):
  return sum(np.sum((x - y) ** 2) for x, y in zip(a, b, strict=True))


def class_gradients(learner, state, batch, matched):
  """`[(support's, real images')]` of each class, without augmentation."""
  data = state.params['data']
  image = data['image'].reshape(CLASSES, IPC, *SHAPE)
  label = data['label'].reshape(CLASSES, IPC, CLASSES)
  of = functools.partial(
    gradient, learner, in_use(state).variables, matched=matched
  )
  return [
    (of(image[c], label[c]), of(batch.image[:, c], batch.label[:, c]))
    for c in range(CLASSES)
  ]


def reference(pairs, distance, level):
  """The loss of every class, of the classes' mean gradients, or both."""
  each = sum(distance(own, real) for own, real in pairs)
  own, real = (
    [np.mean(layers, 0) for layers in zip(*side, strict=True)]
    for side in zip(*pairs, strict=True)
  )
  whole = distance(own, real)
  return {'class': each, 'sum': whole, 'both': each + whole}[level]


@pytest.mark.parametrize(
  ('level', 'distance', 'matched', 'expected'),
  [
    ('class', 'layerwise', 'weights', angles),
    ('sum', 'layerwise', 'weights', angles),
    ('both', 'mse', 'all', squares),
  ],
)
def test_loss_is_the_papers(x64, level, distance, matched, expected, gradients):
  learner = gradients.network('convnet', depth=1)
  source = gradients.source(np.float64)
  settings = {'level': level, 'distance': distance, 'matched': matched}
  method = gradients.make(dc, learner=learner, **settings)
  state = gradients.start(method, source)
  label = np.random.default_rng(1).dirichlet(np.ones(CLASSES), IPC * CLASSES)
  state.params['data']['label'] = jnp.asarray(label)
  _, batch, _, metrics = gradients.step(method, state, source=source)
  pairs = class_gradients(learner, state, batch, matched)
  np.testing.assert_allclose(
    metrics['loss'], reference(pairs, expected, level), rtol=1e-9
  )


METHODS = {
  'both': (dc, {'level': 'both', 'distance': 'magnitude'}),
  'dsa': (dc, {'augment': augment.dsa('color_scale')}),
  'idc': (idc, {}),
}


@pytest.mark.parametrize('name', METHODS)
def test_update_follows_finite_differences(x64, name, gradients):
  """In images and labels, through distance, augmentation and network."""
  factory, settings = METHODS[name]
  smooth = gradients.network()  # no ReLU changes sign within 1e-6 of the images
  method = gradients.make(factory, smooth, **settings)
  source = gradients.source(np.float64)
  state = gradients.start(method, source)
  batch = method.sample(KEY, jnp.int32(1), source)
  update = jax.jit(method.update)
  moved = update(KEY, jnp.int32(1), state, batch)[0].params['data']
  rng = np.random.default_rng(2)
  towards = {k: rng.normal(size=v.shape) for k, v in moved.items()}

  def loss(size):
    data = {k: v + size * towards[k] for k, v in state.params['data'].items()}
    shifted = state._replace(params={**state.params, 'data': data})
    return update(KEY, jnp.int32(1), shifted, batch)[1]['loss']

  slope = sum(
    jnp.vdot(state.params['data'][k] - moved[k], towards[k]) for k in towards
  )
  expected = (loss(1e-6) - loss(-1e-6)) / 2e-6
  assert abs(expected) > 1e-3
  np.testing.assert_allclose(slope, expected, rtol=1e-5)


# Augmentation.


def spy(seen):
  """An augmentation that notes the key of every call."""

  def transform(key, image):
    note = lambda data: seen.append(tuple(np.asarray(data).tolist()))
    jax.debug.callback(note, jax.random.key_data(key))
    return image * jax.random.uniform(key)

  return transform


@pytest.mark.parametrize('level', ['class', 'sum'])
def test_draws_are_shared_by_a_class_and_differ_between_classes_and_steps(
  gradients, level
):
  seen = []
  method = gradients.make(dc, augment=spy(seen), level=level, outer_steps=1)
  state = gradients.start(method)
  for t in range(2):
    state = gradients.step(method, state, t, jax.random.key(t)).after
  jax.effects_barrier()
  counts = {key: seen.count(key) for key in seen}
  # Real and support images of a class; the latter again in the backward pass.
  assert len(counts) == 2 * CLASSES
  assert set(counts.values()) <= {2, 3}


def test_equal_images_have_no_distance_under_any_shared_draw(gradients):
  """Real and support sets are the same: only unlike draws would tell."""
  image = np.random.default_rng(0).normal(size=(CLASSES, *SHAPE))
  source = resident(
    np.repeat(image, 4, 0).astype(np.float32),
    np.repeat(np.arange(CLASSES), 4).astype(np.int32),
    CLASSES,
    None,
  )
  for method in (
    gradients.make(dsa, distance='mse'),
    gradients.make(idc, distance='mse', strategy='color_crop_cutout_scale'),
  ):
    state = gradients.start(method, source)
    for t in range(4):
      found = gradients.step(method, state, t, jax.random.key(t), source)
      assert found.metrics['loss'] < 1e-10


# The network in use.


def test_loops_are_the_table_and_a_rule_between():
  table = {1: (1, 1), 10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15)}
  for ipc, expected in {**table, 50: (50, 10), 200: (50, 10)}.items():
    assert loops(ipc) == expected
    assert loops(ipc, 'dcc') == ((10, 5) if ipc == 1 else expected)
  assert loops(5) == (5, 23) and loops(25) == (25, 22)
  with pytest.raises(UserError, match="table='ddc'"):
    loops(1, 'ddc')


def test_a_network_lives_for_the_outer_steps(gradients):
  method = gradients.make(
    dc, outer_steps=3, inner_epochs=2, inner_optimizer=optax.sgd(RATE)
  )
  state, ages, networks = gradients.start(method), [], []
  for t in range(6):
    networks.append(np.asarray(jax.tree.leaves(state.models.variables)[0]))
    _, _, state, metrics = gradients.step(method, state, t, jax.random.key(t))
    ages.append(int(metrics['model_age']))
  assert ages == [0, 1, 2, 0, 1, 2]
  assert not np.allclose(networks[0], networks[3], atol=0.05)


def test_it_is_trained_on_the_images_just_moved(gradients):
  learner, inner = gradients.network(), optax.sgd(RATE)
  method = gradients.make(
    dc, learner=learner, outer_steps=2, inner_epochs=3, inner_optimizer=inner
  )
  before = gradients.start(method)
  after = gradients.step(method, before).after
  expected = in_use(before)
  batch = Batch(LabeledData(**after.params['data']), jnp.ones(CLASSES * IPC))
  for _ in range(3):
    expected = train_step(learner, inner, soft_cross_entropy, expected, batch)
  for a, b in zip(
    jax.tree.leaves(in_use(after).variables),
    jax.tree.leaves(expected.variables),
    strict=True,
  ):
    np.testing.assert_allclose(a, b, atol=1e-5)
  # Not after the last: the next network is untrained.
  last = gradients.step(method, after, 1).after
  assert int(in_use(last).age) == 0


# What the user may give.


def test_a_class_with_fewer_images_than_the_batch_is_drawn_with_repeats(
  gradients,
):
  source = gradients.source(size=4)  # two of the first class, one of each other
  for method in (
    gradients.make(dc, batch_size=20),
    gradients.make(idc, batch_size=20, train_size=20),
  ):
    start = gradients.start(method)
    _, _, state, metrics = gradients.step(method, start, source=source)
    assert np.isfinite(metrics['loss'])
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(state.params))


def test_unequal_classes_are_refused(gradients):
  def five(ipc):
    whole = pixels(ipc)
    decode = lambda p, c: jax.tree.map(lambda a: a[:5], whole.decode(p, c))
    return Parameterization(whole.init, decode)

  method = dc(
    five(IPC), gradients.network(), optax.sgd(1.0), IPC, batch_size=REAL
  )
  with pytest.raises(UserError, match='5 images for 3 classes'):
    gradients.step(method, gradients.start(method))


WRONG = {
  "distance='cos'": {'distance': 'cos'},
  "matched='biases'": {'matched': 'biases'},
  "level='classes'": {'level': 'classes'},
  'batch_size=0': {'batch_size': 0},
}


@pytest.mark.parametrize('words', WRONG)
def test_wrong_settings_are_refused_in_one_line(gradients, words):
  with pytest.raises(UserError) as error:
    gradients.make(dc, **WRONG[words])
  assert words in str(error.value) and '\n' not in str(error.value)


def test_published_settings():
  for name, start, transform in (
    ('dc', 'noise', 'none'),
    ('dsa', 'real', augment.DSA),
    ('dcc', 'real', 'none'),
    ('idc', 'real', 'none'),  # its own strategy
  ):
    config = recipe.default(name)
    outer, inner = config['optimizer'], config['inner_optimizer']
    assert (outer['name'], outer['momentum']) == ('sgd', 0.5)
    assert (inner['name'], inner['learning_rate']) == ('sgd', 0.01)
    assert config['parameterization']['start'] == start
    assert config['parameterization']['labels'] == 'fixed'
    assert config['augment'] == transform
    assert config['method']['batch_size'] == (64 if name == 'idc' else 256)
    parts.build(config, parts.Setting((32, 32, 3), 10))
  assert recipe.default('dcc')['method']['warm_up'] == 250
  assert recipe.default('dc')['optimizer']['learning_rate'] == 0.1
