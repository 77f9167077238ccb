"""Distribution matching against NumPy, hand-made maps, and its own limits."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax import losses
from dd_jax.augment import dsa
from dd_jax.data.source import resident
from dd_jax.distiller import Learned
from dd_jax.methods.distribution_matching import (
  View,
  datadam,
  dm,
  idm,
  m3d,
  views,
)
from dd_jax.networks import NETWORKS, Network
from dd_jax.networks.network import Outputs
from dd_jax.parameterization import pixels
from dd_jax.training import Model
from dd_jax.types import LabeledData, UserError

pytestmark = pytest.mark.usefixtures('quick_compiler')

CLASSES, IPC, SHAPE = 3, 2, (8, 8, 1)
KEY = jax.random.key(0)
STEP = jnp.int32(0)


def toy(size=90, dtype=np.float32, classes=CLASSES):
  rng = np.random.default_rng(0)
  label = np.arange(size) % classes
  image = rng.normal(size=(size, *SHAPE)) + label[:, None, None, None]
  return resident(image.astype(dtype), label.astype(np.int32), classes, None)


def flat(image):
  """A network without weights: features are the pixels, twice the taps."""
  x = image.reshape(len(image), -1)
  return Outputs(x[:, :CLASSES], x, (image, 2 * image, 3 * image, image))


PLAIN = Network(
  lambda key: {'params': {}},
  lambda variables, image, train=False: (flat(image), variables),
)


@functools.cache
def convnet(norm='instance', depth=2):
  return NETWORKS['convnet'](SHAPE, CLASSES, width=4, depth=depth, norm=norm)


def make(method, network=PLAIN, optimizer=None, **settings):
  settings = {'batch_size': 12, **settings}
  return method(
    pixels(IPC, labels='fixed'),
    network,
    optimizer or optax.sgd(1.0),
    **settings,
  )


def step(method, source=None, state=None):
  source = source or toy()
  state = state or method.init(KEY, source)
  batch = method.sample(KEY, STEP, source)
  after, metrics = jax.jit(method.update)(KEY, STEP, state, batch)
  return state, batch, after, metrics


def support(state):
  image = np.asarray(state.params['data']['image'])
  return image.reshape(CLASSES, IPC, -1)


def real(batch):
  image = np.asarray(batch.image)
  return image.reshape(*image.shape[:2], -1).swapaxes(0, 1)


def model_of(network=PLAIN):
  return Model(network.init(KEY), (), jnp.zeros((), jnp.int32))


# Discrepancies.


def brute_force(x, y, widths=losses.BANDWIDTHS):
  """M3D's discrepancy, one pair of points at a time."""
  pool = [*x, *y]
  pairs = [
    np.sum((a - b) ** 2)
    for i, a in enumerate(pool)
    for j, b in enumerate(pool)
    if i != j
  ]
  h = np.mean(pairs)
  kernel = lambda a, b: sum(
    np.exp(-np.sum((a - b) ** 2) / (w * h)) for w in widths
  )
  mean = lambda p, q: np.mean([kernel(a, b) for a in p for b in q])
  return mean(x, x) + mean(y, y) - 2 * mean(x, y)


def clouds(n=7, m=3, d=5):
  rng = np.random.default_rng(1)
  return rng.normal(size=(n, d)), 0.5 + rng.normal(size=(m, d))


def test_m3d_equals_a_brute_force_discrepancy(x64):
  x, y = clouds()
  found = losses.gaussian_discrepancy(jnp.asarray(x), jnp.asarray(y))
  np.testing.assert_allclose(found, brute_force(x, y), rtol=1e-12)
  method = make(m3d, optimizer=optax.sgd(1.0))
  state, batch, _, metrics = step(method, toy(dtype=np.float64))
  expected = sum(map(brute_force, real(batch), support(state)))
  np.testing.assert_allclose(metrics['loss'], expected, rtol=1e-10)


def test_a_discrepancy_of_equal_clouds_is_zero_and_its_gradient_finite():
  x = jnp.asarray(clouds()[0], jnp.float32)
  same = jnp.ones((4, 3))
  for distance in (
    losses.mean_discrepancy,
    losses.gaussian_discrepancy,
    functools.partial(losses.fourier_discrepancy, KEY),
  ):
    np.testing.assert_allclose(distance(x, x), 0, atol=1e-6)
    for points in (x, same):
      gradient = jax.grad(distance, 1)(points, points)
      assert np.all(np.isfinite(gradient))


def test_the_linear_kernel_is_dm():
  outcomes = [
    step(make(method, **settings))[2:]
    for method, settings in ((dm, {}), (m3d, {'discrepancy': 'linear'}))
  ]
  (one, first), (two, second) = outcomes
  np.testing.assert_allclose(first['loss'], second['loss'], rtol=1e-5)
  np.testing.assert_allclose(
    one.params['data']['image'], two.params['data']['image'], rtol=1e-5
  )


def test_dm_is_the_limit_of_wide_gaussians(x64):
  x, y = (jnp.asarray(c) for c in clouds())
  width = 1e5
  h = brute_force_spread(x, y)
  wide = losses.gaussian_discrepancy(x, y, (width,)) * width * h / 2
  np.testing.assert_allclose(wide, losses.mean_discrepancy(x, y), rtol=1e-4)


def brute_force_spread(x, y):
  pool = np.concatenate([x, y])
  total = sum(np.sum((a - b) ** 2) for a in pool for b in pool)
  return total / (len(pool) * (len(pool) - 1))


def test_random_frequencies_tend_to_m3d(x64):
  x, y = (jnp.asarray(c) for c in clouds())
  expected = float(losses.gaussian_discrepancy(x, y))
  errors = []
  for count in (100, 100_000):
    found = [
      float(losses.fourier_discrepancy(jax.random.key(i), x, y, count))
      for i in range(8)
    ]
    errors.append(np.abs(np.array(found) - expected).mean())
  assert errors[1] < 0.01 * expected
  assert errors[0] > 5 * errors[1]  # falls as the square root of the count


# DM.


def test_dm_is_the_squared_gap_of_class_means(x64):
  rate = 0.1
  method = make(dm, optimizer=optax.sgd(rate))
  state, batch, after, metrics = step(method, toy(dtype=np.float64))
  gap = real(batch).mean(1) - support(state).mean(1)
  np.testing.assert_allclose(metrics['loss'], np.sum(gap**2), rtol=1e-12)
  # d/ds |t - mean s|^2 = -2 (t - mean s) / m.
  moved = support(after) - support(state)
  expected = np.broadcast_to(rate * 2 * gap[:, None] / IPC, moved.shape)
  np.testing.assert_allclose(moved, expected, rtol=1e-10)


def test_through_a_network_the_means_are_of_features(x64):
  network = convnet()
  variables = network.init(KEY)
  batch = toy(dtype=np.float64).take(jnp.arange(45).reshape(15, 3))
  data = LabeledData(batch.image[:2].swapaxes(0, 1).reshape(-1, *SHAPE), None)
  model = Model(variables, (), STEP)
  look = lambda out: View(out.features, out.logits)
  keys = jax.random.split(KEY, CLASSES)
  held, seen = views(network, model, look, None, keys, Learned(data, {}), batch)
  out = network.apply(variables, batch.image.reshape(-1, *SHAPE))[0]
  by_class = lambda a: np.asarray(a).reshape(15, CLASSES, -1).swapaxes(0, 1)
  features, logits = by_class(out.features), by_class(out.logits)
  np.testing.assert_allclose(held.mean, features.mean(1), rtol=1e-9)
  np.testing.assert_allclose(held.each, logits, rtol=1e-9)
  np.testing.assert_allclose(seen.mean, features[:, :2].mean(1), rtol=1e-9)
  np.testing.assert_allclose(seen.each, logits[:, :2], rtol=1e-9)


def test_many_synthetic_images_pass_in_chunks(x64):
  """The same value and the same gradient as the mean of all at once."""
  network, source = convnet(), toy(180, np.float64)
  batch = source.take(jnp.arange(180).reshape(60, 3))
  model = Model(network.init(KEY), (), STEP)
  look, keys = lambda out: View(out.features), jax.random.split(KEY, CLASSES)
  image = batch.image.swapaxes(0, 1).reshape(-1, *SHAPE)  # 180 of them

  def chunked(image):
    learned = Learned(LabeledData(image, None), {})
    seen = views(network, model, look, None, keys, learned, batch)[1]
    return jnp.sum(seen.mean**2)

  def plain(image):
    features = network.apply(model.variables, image)[0].features
    return jnp.sum(features.reshape(CLASSES, 60, -1).mean(1) ** 2)

  one, two = (jax.jit(jax.value_and_grad(f))(image) for f in (chunked, plain))
  np.testing.assert_allclose(one[0], two[0], rtol=1e-9)
  np.testing.assert_allclose(one[1], two[1], rtol=1e-6, atol=1e-12)


def test_batch_norm_normalises_by_the_batch_of_all_classes():
  network = convnet('batch')
  variables = network.init(KEY)
  batch = toy().take(jnp.arange(90).reshape(30, 3))
  data = LabeledData(batch.image[:2].swapaxes(0, 1).reshape(-1, *SHAPE), None)
  model, keys = Model(variables, (), STEP), jax.random.split(KEY, CLASSES)
  look = lambda out: View(out.features)
  held, seen = jax.jit(
    lambda batch: views(
      network, model, look, None, keys, Learned(data, {}), batch
    )
  )(batch)
  means = lambda image, axis: (
    network.apply(variables, image.reshape(-1, *SHAPE), train=True)[0]
    .features.reshape(*image.shape[:2], -1)
    .mean(axis)
  )
  np.testing.assert_allclose(held.mean, means(batch.image, 0), rtol=1e-3)
  by_class = data.image.reshape(CLASSES, IPC, *SHAPE)
  np.testing.assert_allclose(seen.mean, means(by_class, 1), rtol=1e-3)


def test_no_gradient_flows_to_the_real_images():
  batch = toy().take(jnp.arange(30).reshape(10, 3))
  data = LabeledData(jnp.zeros((CLASSES, *SHAPE)), None)

  def total(image):
    look = lambda out: View(out.features)
    seen = batch._replace(image=image)
    keys = jax.random.split(KEY, CLASSES)
    held, _ = views(
      PLAIN, model_of(), look, None, keys, Learned(data, {}), seen
    )
    return jnp.sum(held.mean**2)

  assert not np.any(jax.grad(total)(batch.image))


@pytest.mark.parametrize('method', [dm, m3d, datadam, idm])
def test_a_set_that_is_the_batch_is_matched_under_any_augmentation(method):
  """Siamese: both see the same draw, whichever it is."""
  made = make(method, convnet(), augment=dsa(), batch_size=IPC)
  source = toy()
  state = made.init(KEY, source)
  batch = made.sample(KEY, STEP, source)
  same = batch.image.swapaxes(0, 1).reshape(-1, *SHAPE)
  state.params['data']['image'] = same
  update = jax.jit(made.update)
  for seed in range(3):
    _, metrics = update(jax.random.key(seed), STEP, state, batch)
    assert abs(metrics['loss']) < 1e-4
  state.params['data']['image'] = same + 0.3
  assert update(KEY, STEP, state, batch)[1]['loss'] > 1e-3


def test_every_class_and_step_has_its_own_draw():
  shifted = lambda key, image: image * 0 + jax.random.uniform(key)
  look = lambda out: View(out.features[:, :1])
  batch = toy().take(jnp.arange(30).reshape(10, 3))
  data = LabeledData(jnp.zeros((CLASSES * IPC, *SHAPE)), None)
  keys = jax.random.split(KEY, CLASSES)
  held, seen = views(
    PLAIN, model_of(), look, shifted, keys, Learned(data, {}), batch
  )
  np.testing.assert_allclose(held.mean, seen.mean, rtol=1e-6)
  assert len(np.unique(held.mean)) == CLASSES


# DataDAM.


def test_attention_map_by_hand():
  # Two channels of a 1 x 2 map: sums of squares 1 + 4 and 0 + 4, length √41.
  activation = jnp.asarray([[[[1.0, -2.0], [0.0, 2.0]]]])
  expected = np.array([[5.0, 4.0]]) / np.sqrt(41)
  found = losses.attention_map(activation, 2)
  np.testing.assert_allclose(found, expected, rtol=1e-6)
  # The fourth powers, 17 and 16; the first, 3 and 2.
  np.testing.assert_allclose(
    losses.attention_map(activation), np.array([[17, 16]]) / np.sqrt(545), 1e-6
  )
  np.testing.assert_allclose(
    losses.attention_map(activation, 1), np.array([[3, 2]]) / np.sqrt(13), 1e-6
  )


def test_attention_of_a_dead_map_is_zero_with_a_finite_gradient():
  dead = jnp.zeros((1, 2, 2, 3))
  value, gradient = jax.value_and_grad(
    lambda x: jnp.sum(losses.attention_map(x))
  )(dead)
  assert value == 0 and np.all(np.isfinite(gradient))


def test_datadam_by_hand_on_a_tiny_network(x64):
  """One pixel per map position: Q = x^4 / |x^4|, of the first two taps."""
  weights = {'attention_weight': 7.0, 'embedding_weight': 0.5}
  method = make(datadam, **weights)
  state, batch, _, metrics = step(method, toy(dtype=np.float64))
  t, s = real(batch), support(state)
  q = lambda x: x**4 / np.sqrt(np.sum(x**8, -1, keepdims=True))
  gap = lambda a, b: np.sum((a.mean(1) - b.mean(1)) ** 2)
  # Both taps are the image times a number, which the map's length takes out.
  expected = 7 * 2 * gap(q(t), q(s)) + 0.5 * gap(t, s)
  np.testing.assert_allclose(metrics['loss'], expected, rtol=1e-9)


def test_datadam_leaves_the_last_block_out():
  out = jax.eval_shape(
    lambda image: convnet(depth=2).apply(convnet(depth=2).init(KEY), image)[0],
    jnp.zeros((1, *SHAPE)),
  )
  assert len(out.taps) == 3
  method = make(datadam, convnet(depth=1))
  with pytest.raises(UserError, match='two blocks'):
    method.init(KEY, toy())


# IDM.


def queue_of(**settings):
  sizes = {'queue_size': 5, 'queue_start': 4, 'queue_interval': 3}
  sizes |= {'train_steps': 2, 'train_batch_size': 6}
  return make(idm, convnet(), **{**sizes, **settings})


def kernels(models):
  """One row of weights for each member of the queue."""
  leaf = models.members.variables['params']['head']['kernel']
  return np.asarray(leaf).reshape(len(leaf), -1)


def test_the_queue_trains_members_that_were_not_picked():
  method = queue_of(trained=2)
  state = method.init(KEY, toy())
  update = jax.jit(method.update)
  batch = method.sample(KEY, STEP, toy())
  picked_apart = 0
  for seed in range(6):
    key = jax.random.key(seed)
    after, _ = update(key, STEP, state, batch)
    changed = np.flatnonzero(
      np.any(kernels(after.models) != kernels(state.models), 1)
    )
    assert len(changed) == 2 and max(changed) < 4
    ages = np.asarray(after.models.members.age)
    np.testing.assert_array_equal(ages[changed], [2, 2])
    assert ages.sum() == 4
    # The one that was matched on is drawn apart from those that train.
    alone = update(key, STEP, marked(state, changed), batch)[1]
    picked_apart += int(alone['model_age'] == 0)
  assert picked_apart > 0


def marked(state, slots):
  """The state, those members of another age."""
  members = state.models.members
  aged = members._replace(age=members.age.at[slots].set(9))
  return state._replace(models=state.models._replace(members=aged))


def test_the_queue_grows_and_then_drops_its_oldest():
  method = queue_of(trained=0, queue_interval=2)
  state = method.init(KEY, toy())
  update = jax.jit(method.update)
  batch = method.sample(KEY, STEP, toy())
  replaced = []
  for t in range(8):
    after, _ = update(jax.random.key(t), STEP, state, batch)
    moved = np.any(kernels(after.models) != kernels(state.models), 1)
    replaced.append(list(np.flatnonzero(moved)))
    state = after
  # Every second step: first the free slot, then the oldest, then the next.
  assert replaced == [[], [4], [], [0], [], [1], [], [2]]
  assert state.models.live == 5


def test_members_that_do_not_live_yet_are_never_used():
  method = queue_of(queue_start=2, trained=2)
  state = method.init(KEY, toy())
  update = jax.jit(method.update)
  batch = method.sample(KEY, STEP, toy())
  marked_state = marked(state, np.array([2, 3, 4]))
  for seed in range(8):
    after, metrics = update(jax.random.key(seed), STEP, marked_state, batch)
    assert metrics['model_age'] == 0
    ages = np.asarray(after.models.members.age)
    np.testing.assert_array_equal(ages, [2, 2, 9, 9, 9])


def test_the_class_term_is_weighted_by_accuracy_in_percent():
  method = queue_of(class_weight=0.25)
  state = method.init(KEY, toy())
  batch = method.sample(KEY, STEP, toy())
  plain = queue_of(class_weight=0.0)
  members = state.models.members
  knows = lambda accuracy: state._replace(
    models=state.models._replace(
      members=members._replace(aux=jnp.full_like(members.aux, accuracy))
    )
  )
  update = jax.jit(method.update)
  loss = lambda update, s: float(update(KEY, STEP, s, batch)[1]['loss'])
  base = loss(jax.jit(plain.update), knows(1.0))
  assert loss(update, knows(0.0)) == pytest.approx(base, rel=1e-5)
  half, full = (loss(update, knows(a)) - base for a in (0.5, 1.0))
  assert full == pytest.approx(2 * half, rel=1e-3)
  # An untrained network of 3 classes: about log 3 for each of 3 classes.
  assert full == pytest.approx(0.25 * 100 * 3 * np.log(3), rel=0.3)


def test_training_a_member_measures_its_accuracy():
  method = queue_of(trained=1, train_steps=40, inner_optimizer=optax.adam(1e-2))
  state, _, after, _ = step(method)
  assert not np.any(state.models.members.aux)
  measured = np.asarray(after.models.members.aux)
  assert np.count_nonzero(measured) == 1 and measured.max() > 0.6


# Bad input.


@pytest.mark.parametrize(
  'method, settings, words',
  [
    (dm, {'batch_size': 0}, 'batch_size=0'),
    (m3d, {'discrepancy': 'laplace'}, "discrepancy='laplace'"),
    (m3d, {'network_steps': 0}, 'network_steps=0'),
    (datadam, {'power': 0}, 'power=0'),
    (idm, {'queue_start': 101}, 'queue_start=101: allowed are 1 to 100'),
    (idm, {'trained': 4}, 'trained=4: allowed are 0 to 3'),
    (idm, {'queue_interval': 0}, 'queue_interval=0'),
    (idm, {'train_steps': -1}, 'train_steps=-1'),
  ],
)
def test_refuses_settings(method, settings, words):
  with pytest.raises(UserError) as error:
    make(method, **settings)
  assert words in str(error.value) and '\n' not in str(error.value)


def test_refuses_a_class_without_images():
  with pytest.raises(UserError, match='class 3 has only 0'):
    few = toy()
    label = np.asarray(few.label)
    make(dm).init(KEY, resident(np.asarray(few.image), label, 4, None))


def test_refuses_a_set_that_learns_no_images():
  labels_only = pixels(IPC, learn_images=False)
  with pytest.raises(UserError, match='learns no images'):
    dm(labels_only, PLAIN, optax.sgd(1.0)).init(KEY, toy())


def test_refuses_a_set_that_is_not_class_by_class():
  odd = pixels(IPC, labels='fixed')
  fewer = lambda params, constants: jax.tree.map(
    lambda a: a[:-1], odd.decode(params, constants)
  )
  with pytest.raises(UserError, match='5 images of 3 classes'):
    dm(odd._replace(decode=fewer), PLAIN, optax.sgd(1.0)).init(KEY, toy())


def test_a_class_smaller_than_the_batch_is_drawn_with_repeats():
  method = make(dm, batch_size=50)
  _, batch, _, metrics = step(method, toy(9))
  assert batch.image.shape[:2] == (50, 3) and np.isfinite(metrics['loss'])
