"""Trajectory matching: its gradient against plain references, its settings."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree
from sklearn.datasets import load_digits

from dd_jax import augment
from dd_jax.data.source import resident
from dd_jax.distiller import Context, Learned
from dd_jax.evaluation.protocols import Setting, protocol
from dd_jax.experts import ResidentExperts, Segments, with_experts
from dd_jax.losses import soft_cross_entropy
from dd_jax.methods.datm import datm, expert_logits, right_images
from dd_jax.methods.trajectory_matching import (
  Student,
  arrive,
  ftd,
  matching_loss,
  mtt,
  tesla,
)
from dd_jax.networks import NETWORKS
from dd_jax.parameterization import pixels
from dd_jax.types import DistilledData, LabeledData, UserError
from dd_jax.unroll import estimate_memory

pytestmark = pytest.mark.usefixtures('quick_compiler')

CLASSES, SHAPE = 3, (8, 8, 1)
NETWORK = NETWORKS['mlp'](SHAPE, CLASSES, width=8, depth=1)
FROZEN = jax.lax.stop_gradient


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


def ours(image, rate, data, segment, student):
  learned = Learned(
    data._replace(image=image), {'log_step_size': jnp.log(rate)}
  )
  context = Context(jax.random.key(0), jnp.int32(0), None)
  return matching_loss(student)(learned, segment, context)[0]


def gradients(loss, rate, dtype, *rest):
  data, segment = problem(dtype)
  rate = jnp.asarray(rate, dtype)
  value, (image, step) = jax.value_and_grad(loss, (0, 1))(
    data.image, rate, data, segment, *rest
  )
  return float(value), np.ravel(image).astype(float), float(step)


def cosine(a, b):
  return a @ b / math.sqrt((a @ a) * (b @ b))


@pytest.mark.parametrize('plan', ['remat', 'nested'])
def test_the_gradient_is_exact(plan, x64):
  expected = gradients(plain, 0.1, jnp.float64, 50)
  found = gradients(ours, 0.1, jnp.float64, Student(NETWORK, 50, plan=plan))
  assert found[0] == pytest.approx(expected[0], rel=1e-12)
  assert found[2] == pytest.approx(expected[2], rel=1e-9)
  np.testing.assert_allclose(found[1], expected[1], rtol=1e-9, atol=1e-15)
  assert 1 - cosine(found[1], expected[1]) <= 1e-9


def test_the_gradient_meets_finite_differences(x64):
  data, segment = problem(jnp.float64)
  # Away from where a ReLU flips: inner gradients jump there, and so does this.
  student, rate, step = Student(NETWORK, 10), 0.07, 1e-6
  _, image, by_rate = gradients(ours, rate, jnp.float64, student)
  way = np.random.default_rng(0).normal(size=image.shape)
  shift = step * way.reshape(data.image.shape)

  def value(sign, image_step, rate_step):
    moved = data.image + sign * image_step
    return float(ours(moved, rate + sign * rate_step, data, segment, student))

  along = (value(1, shift, 0) - value(-1, shift, 0)) / (2 * step)
  assert along == pytest.approx(image @ way, rel=1e-4)
  along = (value(1, 0, step) - value(-1, 0, step)) / (2 * step)
  assert along == pytest.approx(by_rate, rel=1e-4)


@pytest.mark.parametrize('rate', [0.02, 0.1, 0.3])
def test_float32_agrees_with_float64(rate, x64):
  double = gradients(ours, rate, jnp.float64, Student(NETWORK, 50))
  single = gradients(ours, rate, jnp.float32, Student(NETWORK, 50))
  assert cosine(double[1], single[1]) >= 0.999


def two_passes(rate, dtype, num_steps):
  """TESLA's own formulas, one gradient after another, with the factor two."""
  data, segment = problem(dtype)
  unravel = ravel_pytree(NETWORK.init(jax.random.key(0))['params'])[1]
  start, target = segment.start[0], segment.target[0]

  def inner(flat, image):
    moved = descend(unravel(flat), data._replace(image=image), 1.0)
    return flat - ravel_pytree(moved)[0]

  flat, passed = start, []
  for _ in range(num_steps):
    passed.append(flat)
    flat = flat - rate * inner(flat, data.image)
  total = (start - flat) / rate
  weight = rate * (target - start) + rate**2 * total
  scale = 2 / jnp.sum((start - target) ** 2)
  found = sum(
    jax.grad(lambda x, p=p: inner(p, x) @ weight)(data.image) for p in passed
  )
  return np.ravel(scale * found)


def test_tesla_is_the_published_approximation(x64):
  student = Student(NETWORK, 10, seen=FROZEN)
  found = gradients(ours, 0.1, jnp.float64, student)[1]
  expected = two_passes(0.1, jnp.float64, 10)
  np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-14)


def test_tesla_is_exact_for_one_step_alone(x64):
  approximate = functools.partial(Student, NETWORK, seen=FROZEN)
  one = gradients(ours, 0.1, jnp.float64, approximate(1))[1]
  np.testing.assert_allclose(one, gradients(plain, 0.1, jnp.float64, 1)[1])
  many = gradients(ours, 0.1, jnp.float64, approximate(50))[1]
  exact = gradients(ours, 0.1, jnp.float64, Student(NETWORK, 50))[1]
  assert cosine(many, exact) < 0.999


def test_memory_grows_by_the_parameters_alone():
  """Four times the steps: at most as many more carries, and no activations."""
  network = NETWORKS['convnet']((16, 16, 1), CLASSES, width=8, depth=2)
  params = network.init(jax.random.key(0))['params']
  size = sum(a.nbytes for a in jax.tree.leaves(params))

  def needed(num_steps):
    def loss(image):
      data = LabeledData(image, jnp.eye(CLASSES))
      student = Student(network, num_steps)
      end = arrive(student, jax.random.key(0), params, data, jnp.float32(0.1))
      return optax.tree.norm(end)

    return estimate_memory(jax.grad(loss), jnp.zeros((CLASSES, 16, 16, 1)))

  assert needed(48) - needed(12) <= 1.5 * 36 * size


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


@pytest.fixture(scope='module')
def source():
  return with_experts(resident(*digits(), CLASSES, None), experts())


def build(factory=mtt, labels='fixed', **settings):
  return factory(
    pixels(2, labels=labels),
    NETWORK,
    optax.sgd(0.1),
    **{'inner_steps': 3, 'step_size': 0.1, **settings},
  )


def updated(method, source, count=1):
  state = method.init(jax.random.key(0), source)
  batch = method.sample(jax.random.key(1), jnp.int32(0), source)
  update = jax.jit(method.update)
  for _ in range(count):
    state, metrics = update(jax.random.key(2), jnp.int32(0), state, batch)
  return state, metrics


def test_the_step_size_is_learned_as_published_at_the_start(source):
  """One step moves it by `-rate * gradient`, up to second order."""
  still, moved = build(step_size_rate=0.0), build(step_size_rate=1e-6)
  batch = moved.sample(jax.random.key(1), jnp.int32(0), source)
  state = moved.init(jax.random.key(0), source)
  data = LabeledData(*moved.distilled(state)[:2])
  loss = lambda r: ours(data.image, r, data, batch, Student(NETWORK, 3))
  slope = float(jax.grad(loss)(jnp.float32(0.1)))
  after = moved.distilled(updated(moved, source)[0]).step_size
  assert float(after) - 0.1 == pytest.approx(-1e-6 * slope, rel=0.05)
  kept = still.distilled(updated(still, source)[0]).step_size
  assert float(kept) == pytest.approx(0.1, rel=1e-6)


def test_the_step_size_stays_positive(source):
  state, metrics = updated(build(step_size_rate=1e-2), source, 3)
  assert metrics['step_size'] > 0
  assert build().distilled(state).step_size > 0


def test_several_segments_are_averaged(source):
  method = build(segments=4)
  batch = method.sample(jax.random.key(1), jnp.int32(0), source)
  assert batch.start.shape == batch.target.shape == (4, 547)
  assert set(np.asarray(batch.epoch)) <= {0, 1}
  data, _ = problem(jnp.float32)
  loss = lambda b: ours(data.image, 0.1, data, b, Student(NETWORK, 3))
  each = [
    loss(jax.tree.map(lambda a, i=i: a[i : i + 1], batch)) for i in range(4)
  ]
  assert float(loss(batch)) == pytest.approx(float(np.mean(each)), rel=1e-5)


def test_minibatches_and_augmentation_reach_the_student(source):
  settings = [
    {},
    {'support_batch': 2},
    {'inner_augment': augment.dsa('crop', siamese=False)},
  ]
  losses = [float(updated(build(**s), source)[1]['loss']) for s in settings]
  assert len(set(losses)) == 3


def test_ftd_delivers_the_average(source):
  method = build(ftd, average=0.5)
  state, _ = updated(method, source)
  first = method.init(jax.random.key(0), source).params['data']['image']
  mean = (first + state.params['data']['image']) / 2
  np.testing.assert_allclose(method.distilled(state).image, mean, rtol=1e-6)


def test_tesla_labels_are_the_targets(source):
  method = build(tesla, soft_labels=True)
  state, _ = updated(method, source)
  label = np.asarray(method.distilled(state).label)
  np.testing.assert_allclose(label.sum(-1), 1, rtol=1e-5)
  assert label.max() < 1


def test_an_exploding_student_leaves_no_finite_loss(source):
  """Which is what the driver stops at."""
  _, metrics = updated(build(step_size=1e20), source)
  assert not np.isfinite(metrics['loss'])


@pytest.mark.parametrize(
  'changes, words',
  [
    ({'step_size': 0.0}, 'step_size=0.0: must be above 0'),
    ({'step_size_rate': -1.0}, 'step_size_rate=-1.0'),
    ({'inner_steps': 0}, 'inner_steps=0'),
    ({'segments': 0}, 'segments=0'),
    ({'max_start': 0}, 'max_start=0'),
    ({'plan': 'none'}, "plan='none'"),
  ],
)
def test_settings_out_of_range_are_refused(changes, words):
  with pytest.raises(UserError) as error:
    build(**changes)
  assert words in str(error.value)


# DATM.


def test_the_window_widens(source):
  method = build(
    datm, 'logits', ipc=2, min_start=1, first_stop=2, max_start=3, widen_steps=4
  )

  def starts(step):
    draw = lambda key: method.sample(key, jnp.int32(step), source).epoch[0]
    return {int(draw(jax.random.key(k))) for k in range(20)}

  assert starts(0) == starts(3) == {1}
  assert starts(4) == starts(100) == {1, 2}


def test_datm_starts_from_images_that_an_expert_gets_right(source):
  weak = ResidentExperts(source.experts.params[:, :1], jnp.arange(1))
  source = with_experts(source.real, weak)
  restricted = right_images(jax.random.key(0), NETWORK, source, 2)
  image, label = digits()
  right = []
  for flat in source.experts.last():
    unravel = ravel_pytree(NETWORK.init(jax.random.key(0))['params'])[1]
    logits = NETWORK.apply({'params': unravel(flat)}, image)[0].logits
    right.append(np.asarray(logits.argmax(-1)) == label)
  listed = np.unique(restricted.class_table)
  assert any(r[listed].all() for r in right)
  assert len(listed) < len(label)
  assert len(restricted) == len(source)


def test_datm_labels_are_what_right_experts_say(source):
  method = build(datm, 'logits', ipc=2)
  state = method.init(jax.random.key(0), source)
  data = method.distilled(state)
  one_hot = jnp.repeat(jnp.eye(CLASSES), 2, 0)
  logits, count = expert_logits(
    NETWORK, source.experts.last(), LabeledData(data.image, one_hot)
  )
  assert int(count.min()) >= 1
  np.testing.assert_allclose(data.label, jax.nn.softmax(logits), rtol=1e-5)
  assert np.array_equal(data.label.argmax(-1), one_hot.argmax(-1))


def test_datm_refuses_labels_it_cannot_set(source):
  for labels in ('fixed', 'free'):
    with pytest.raises(UserError, match='labels'):
      build(datm, labels, ipc=2).init(jax.random.key(0), source)
  plain_start = build(datm, 'fixed', ipc=2, expert_labels=False)
  plain_start.init(jax.random.key(0), source)


def test_datm_refuses_experts_that_get_too_little_right(source):
  wrong = ResidentExperts(source.experts.params * 0, source.experts.row)
  with pytest.raises(UserError, match='of class 1 right'):
    build(datm, 'logits', ipc=2).init(
      jax.random.key(0), with_experts(source.real, wrong)
    )


def test_a_step_above_the_threshold_is_skipped(source):
  method = build(datm, 'logits', ipc=2, threshold=1e-6)
  before = method.init(jax.random.key(0), source)
  state, metrics = updated(method, source)
  assert metrics['skipped'] == 1
  for a, b in zip(
    *map(jax.tree.leaves, (before.params, state.params)), strict=True
  ):
    np.testing.assert_array_equal(a, b)


# The protocol.


def test_the_protocol_uses_the_learned_step_size():
  network = NETWORKS['convnet'](SHAPE, CLASSES, width=4, depth=2)
  setting = Setting('digits', SHAPE, CLASSES, network=network, steps=4)
  test = resident(*digits(), CLASSES, None)
  data, _ = problem(jnp.float32)
  keys = jax.random.split(jax.random.key(0), 4)
  score = lambda size: np.asarray(
    protocol('mtt', setting).score(keys, DistilledData(*data, size), test)
  )
  np.testing.assert_array_equal(score(None), score(jnp.float32(0.01)))
  assert np.any(score(None) != score(jnp.float32(3.0)))
