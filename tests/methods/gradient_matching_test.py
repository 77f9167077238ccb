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
from dd_jax.methods import gradient_matching as gm
from dd_jax.networks import NETWORKS, Network
from dd_jax.parameterization import Parameterization, pixels
from dd_jax.run import parts, recipe
from dd_jax.training import Batch, train_step
from dd_jax.types import LabeledData, UserError

CLASSES, IPC, SHAPE, REAL = 3, 2, (4, 4, 1), 5
KEY = jax.random.key(0)
RATE = 0.1


@pytest.fixture(autouse=True, scope='module')
def compile_quickly():
  """Tiny programs, run a few times: compiling them is all the cost."""
  jax.config.update('jax_disable_most_optimizations', True)
  yield
  jax.config.update('jax_disable_most_optimizations', False)


def toy(dtype=np.float32, size=41):
  rng = np.random.default_rng(0)
  label = np.arange(size) % CLASSES
  image = rng.normal(size=(size, *SHAPE)) + label[:, None, None, None]
  return resident(image.astype(dtype), label.astype(np.int32), CLASSES, None)


def network(name='mlp', **settings):
  """In the dtype that is switched on."""
  size = {'width': 6, **settings}
  plain = NETWORKS[name](SHAPE, CLASSES, **size)

  def init(key):
    cast = lambda a: a.astype(jnp.zeros(()).dtype)
    return jax.tree.map(cast, plain.init(key))

  return Network(init, plain.apply)


def make(method=gm.dc, learner=None, optimizer=None, labels='free', **settings):
  sizes = {'batch_size': REAL}
  count = CLASSES if method is gm.idc else IPC
  return method(
    pixels(IPC, labels=labels),
    learner or network(),
    optimizer or optax.sgd(1.0),
    count,
    **{**sizes, **settings},
  )


make_idc = functools.partial(
  make, gm.idc, matched='weights', train_size=8, inner_batch_size=8
)


def start(method, source=None):
  return method.init(KEY, source or toy())


def step(method, state, t=0, key=KEY, source=None):
  batch = method.sample(jax.random.key(t), jnp.int32(t), source or toy())
  return *jax.jit(method.update)(key, jnp.int32(t), state, batch), batch


def in_use(state):
  return jax.tree.map(lambda a: a[0], state.models)


def gradient(learner, variables, image, label, matched):
  """Of the mean loss, only what is matched: a list."""

  def mean_loss(params):
    out, _ = learner.apply({**variables, 'params': params}, image)
    return jnp.mean(soft_cross_entropy(out.logits, label))

  found = jax.tree.leaves(jax.grad(mean_loss)(variables['params']))
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
def test_loss_is_the_papers(x64, level, distance, matched, expected):
  learner, source = network('convnet', depth=1), toy(np.float64)
  settings = {'level': level, 'distance': distance, 'matched': matched}
  method = make(learner=learner, **settings)
  state = start(method, source)
  label = np.random.default_rng(1).dirichlet(np.ones(CLASSES), IPC * CLASSES)
  state.params['data']['label'] = jnp.asarray(label)
  _, metrics, batch = step(method, state, source=source)
  pairs = class_gradients(learner, state, batch, matched)
  np.testing.assert_allclose(
    metrics['loss'], reference(pairs, expected, level), rtol=1e-9
  )


METHODS = {
  'both': functools.partial(make, level='both', distance='magnitude'),
  'dsa': functools.partial(make, augment=augment.dsa('color_scale')),
  'idc': make_idc,
}


@pytest.mark.parametrize('name', METHODS)
def test_update_follows_finite_differences(x64, name):
  """In images and labels, through distance, augmentation and network."""
  smooth = network()  # no ReLU changes sign within 1e-6 of these images
  method, source = METHODS[name](learner=smooth), toy(np.float64)
  state = start(method, source)
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


def test_one_class_alone_is_compared_alike_at_both_levels(x64):
  """DCC equals DC for one class."""
  learner, rng = network(), np.random.default_rng(0)
  matcher = gm._matcher(learner, 'layerwise', 'weights', augment.dsa())

  def data(count):
    label = jax.nn.one_hot(rng.integers(CLASSES, size=count), CLASSES)
    image = jnp.asarray(rng.normal(size=(1, count, *SHAPE)))
    return LabeledData(image, label[None].astype(jnp.float64))

  support, real = data(IPC), data(REAL)
  keys = jax.random.split(KEY, 1)
  term = functools.partial(gm._terms, matcher, learner.init(KEY), keys)
  value = lambda level: jax.jit(
    jax.value_and_grad(lambda s: term(s, real, level=level))
  )(support)
  dc, dcc = value('class'), value('sum')
  assert dc[0] > 0.1
  for a, b in zip(jax.tree.leaves(dc), jax.tree.leaves(dcc), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_dcc_warms_up_class_by_class():
  """By networks, or from an age of each on."""
  settings = {'outer_steps': 3, 'inner_epochs': 1}
  mixed = make(gm.dcc, warm_up=2, inner_warm_up=2, **settings)
  dc, dcc = make(**settings), make(level='sum', **settings)
  for t, expected in ((0, dc), (2, dcc), (3, dc), (5, dcc), (6, dcc), (7, dcc)):
    state = start(mixed)
    age = jnp.full((1,), t % 3, jnp.int32)
    state = state._replace(models=state.models._replace(age=age))
    got = step(mixed, state, t)[1]['loss']
    np.testing.assert_allclose(got, step(expected, state, t)[1]['loss'])


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
  level,
):
  seen = []
  method = make(augment=spy(seen), level=level, outer_steps=1)
  state = start(method)
  for t in range(2):
    state, _, _ = step(method, state, t, jax.random.key(t))
  jax.effects_barrier()
  counts = {key: seen.count(key) for key in seen}
  # Real and support images of a class; the latter again in the backward pass.
  assert len(counts) == 2 * CLASSES
  assert set(counts.values()) <= {2, 3}


def test_equal_images_have_no_distance_under_any_shared_draw():
  """Real and support sets are the same: only unlike draws would tell."""
  image = np.random.default_rng(0).normal(size=(CLASSES, *SHAPE))
  source = resident(
    np.repeat(image, 4, 0).astype(np.float32),
    np.repeat(np.arange(CLASSES), 4).astype(np.int32),
    CLASSES,
    None,
  )
  for method in (
    make(gm.dsa, distance='mse'),
    make_idc(distance='mse', strategy='color_crop_cutout_scale'),
  ):
    state = start(method, source)
    for t in range(4):
      loss = step(method, state, t, jax.random.key(t), source)[1]['loss']
      assert loss < 1e-10


# The network in use.


def test_loops_are_the_table_and_a_rule_between():
  table = {1: (1, 1), 10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15)}
  for ipc, expected in {**table, 50: (50, 10), 200: (50, 10)}.items():
    assert gm.loops(ipc) == expected
    assert gm.loops(ipc, 'dcc') == ((10, 5) if ipc == 1 else expected)
  assert gm.loops(5) == (5, 23) and gm.loops(25) == (25, 22)
  with pytest.raises(UserError, match="table='ddc'"):
    gm.loops(1, 'ddc')


def test_a_network_lives_for_the_outer_steps():
  method = make(outer_steps=3, inner_epochs=2, inner_optimizer=optax.sgd(RATE))
  state, ages, networks = start(method), [], []
  for t in range(6):
    networks.append(np.asarray(jax.tree.leaves(state.models.variables)[0]))
    state, metrics, _ = step(method, state, t, jax.random.key(t))
    ages.append(int(metrics['model_age']))
  assert ages == [0, 1, 2, 0, 1, 2]
  assert not np.allclose(networks[0], networks[3], atol=0.05)


def test_it_is_trained_on_the_images_just_moved():
  learner, inner = network(), optax.sgd(RATE)
  method = make(
    learner=learner, outer_steps=2, inner_epochs=3, inner_optimizer=inner
  )
  before = start(method)
  after, _, _ = step(method, before)
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
  last, _, _ = step(method, after, 1)
  assert int(in_use(last).age) == 0


def test_batch_norm_matches_under_the_statistics_of_real_images(x64):
  learner = network('convnet', depth=1, norm='batch')
  image = jnp.asarray(np.random.default_rng(0).normal(2, 3, (9, *SHAPE)))
  variables = learner.init(KEY)
  seen = gm.with_statistics(learner, variables, image)
  shown = learner.apply(seen, image)[0].logits
  expected = learner.apply(variables, image, train=True)[0].logits
  np.testing.assert_allclose(shown, expected, atol=1e-9)
  plain = network().init(KEY)
  assert gm.with_statistics(network(), plain, image) is plain


# IDC.


def test_a_class_drifts_on_its_momentum_while_others_are_in_turn():
  """One gradient g moves it by lr g (1 + m + m^2 + ...)."""
  method = make_idc(optimizer=optax.sgd(RATE, 0.5), labels='fixed')
  state = start(method)
  images = [state.params['data']['image']]
  for t in range(CLASSES):
    state, _, _ = step(method, state, t)
    images.append(state.params['data']['image'])
  moves = np.diff([np.asarray(i).reshape(CLASSES, -1) for i in images], axis=0)
  assert (moves[0, 1:] == 0).all() and (moves[0, 0] != 0).any()
  np.testing.assert_allclose(moves[1, 0], moves[0, 0] / 2, atol=1e-6)
  np.testing.assert_allclose(moves[2, 0], moves[0, 0] / 4, atol=1e-6)
  assert (moves[1, 2] == 0).all() and (moves[1, 1] != 0).any()


def test_idc_trains_on_real_images_once_a_round():
  method = make_idc(inner_steps=2)
  state, weights, ages = start(method), [], []
  for t in range(3 * CLASSES):
    weights.append(np.asarray(jax.tree.leaves(state.models.variables)[0]))
    ages.append(int(state.models.age[0]))
    state, _, _ = step(method, state, t)
  changed = [bool((a != b).any()) for a, b in zip(weights, weights[1:])]  # noqa: B905, RUF007
  assert changed == [t % CLASSES == CLASSES - 1 for t in range(8)]
  assert ages == [t % (2 * CLASSES) for t in range(9)]


def test_idc_draws_one_class_in_turn():
  batch_of = lambda t: make_idc().sample(KEY, jnp.int32(t), toy())
  for t in range(2 * CLASSES):
    assert (batch_of(t).match.label.argmax(-1) == t % CLASSES).all()
  assert len(np.unique(batch_of(0).train.label.argmax(-1))) > 1


# What the user may give.


def test_a_class_with_fewer_images_than_the_batch_is_drawn_with_repeats():
  source = toy(size=4)  # two of the first class, one of each other
  for method in (make(batch_size=20), make_idc(batch_size=20, train_size=20)):
    state, metrics, _ = step(method, start_noise(method, source), source=source)
    assert np.isfinite(metrics['loss'])
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(state.params))


def start_noise(method, source):
  state = method.init(KEY, toy())
  del source
  return state


def test_unequal_classes_are_refused():
  def five(ipc):
    whole = pixels(ipc)
    decode = lambda p, c: jax.tree.map(lambda a: a[:5], whole.decode(p, c))
    return Parameterization(whole.init, decode)

  method = gm.dc(five(IPC), network(), optax.sgd(1.0), IPC, batch_size=REAL)
  with pytest.raises(UserError, match='5 images for 3 classes'):
    step(method, start(method))


WRONG = {
  "distance='cos'": (gm.dc, {'distance': 'cos'}),
  "matched='biases'": (gm.dc, {'matched': 'biases'}),
  "level='classes'": (gm.dc, {'level': 'classes'}),
  'batch_size=0': (gm.dc, {'batch_size': 0}),
  'train_size=0': (gm.idc, {'train_size': 0}),
  'cutmix=2.0': (gm.idc, {'cutmix': 2.0}),
  "unknown operation 'blur'": (gm.idc, {'strategy': 'blur'}),
}


@pytest.mark.parametrize('words', WRONG)
def test_wrong_settings_are_refused_in_one_line(words):
  method, settings = WRONG[words]
  with pytest.raises(UserError) as error:
    make(method, **settings)
  assert words in str(error.value) and '\n' not in str(error.value)


def test_a_network_without_what_is_matched_is_refused():
  method = make_idc(matched='convolutions')
  with pytest.raises(UserError, match="matched='convolutions'"):
    step(method, start(method))


def test_another_number_of_classes_is_refused():
  method = gm.idc(pixels(IPC), network(), optax.sgd(1.0), CLASSES + 1)
  with pytest.raises(UserError, match='num_classes=4'):
    method.sample(KEY, jnp.int32(0), toy())


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
