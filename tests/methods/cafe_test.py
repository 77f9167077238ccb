"""CAFE's loss against NumPy, and its two loops on scripted accuracies."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.data.source import resident
from dd_jax.methods.cafe import (
  Life,
  Loops,
  cafe,
  confusion,
  next_life,
  train_until_moved,
  window,
)
from dd_jax.networks import NETWORKS, Network
from dd_jax.networks.network import Outputs
from dd_jax.parameterization import pixels
from dd_jax.training import Model
from dd_jax.types import UserError

pytestmark = pytest.mark.usefixtures('quick_compiler')

CLASSES, IPC, SHAPE = 3, 2, (4, 4, 1)
KEY = jax.random.key(0)
STEP = jnp.int32(0)
LOOPS = Loops(readings=3, settled=0.04, moved=0.03, outer_cap=6, inner_cap=5)


# The loops, on a network that is nothing but the number of its epochs.


def newborn():
  life = Life(
    window(LOOPS.readings), jnp.zeros((), bool), jnp.zeros((), jnp.int32)
  )
  return Model(jnp.zeros((), jnp.int32), (), jnp.zeros((), jnp.int32), life)


def epoch(model, index):
  del index
  return model._replace(variables=model.variables + 1)


def scripted(script):
  """The accuracy after so many epochs; the last one goes on."""
  values = jnp.asarray(script, jnp.float32)
  return lambda model: values[jnp.minimum(model.variables, len(script) - 1)]


def test_a_window_spreads_only_once_it_is_full():
  seen = window(3)
  spreads = []
  for reading in (0.5, 0.7, 0.6, 0.6, 0.6):
    seen = seen.look(jnp.float32(reading))
    spreads.append(float(seen.spread()))
  assert np.isnan(spreads[0]) and np.isnan(spreads[1])
  np.testing.assert_allclose(spreads[2:], [0.2, 0.1, 0.0], atol=1e-6)


@pytest.mark.parametrize(
  'script, taken',
  [
    # Readings come after epochs 1, 2, ...: the first full window is 1 to 3.
    ([0.1, 0.1, 0.2, 0.2], 3),
    ([0.1, 0.1, 0.1, 0.1, 0.2], 4),
    # Slow progress: 0.02 an epoch is 0.04 over a window of three.
    ([0.0, 0.02, 0.04, 0.06], 3),
    # Never more than 0.03: the cap.
    ([0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07], 5),
    ([0.5], 5),
  ],
)
def test_the_inner_loop_ends_once_accuracy_has_moved(script, taken):
  run = jax.jit(
    lambda model: train_until_moved(LOOPS, scripted(script), epoch, model)
  )
  model, count = run(newborn())
  assert (int(count), int(model.variables)) == (taken, taken)


def live(script, steps):
  """`(ages, epochs, over)` after each step of the support set."""
  step = jax.jit(lambda m: next_life(LOOPS, scripted(script), epoch, m))
  model, story = newborn(), []
  for _ in range(steps):
    model = step(model)
    story.append((int(model.age), int(model.aux.epochs), bool(model.aux.over)))
  return story


def test_the_outer_loop_ends_once_accuracy_has_settled():
  # Inner loops of three epochs each, until the outer loop, which reads after
  # 0, 3, 6, ... epochs, has seen 0.5, 0.52, 0.53.
  script = [0.0, 0.1, 0.2, 0.3, 0.3, 0.4, 0.5, 0.6, 0.5, 0.52, 0.6, 0.5, 0.53]
  story = live(script, 5)
  assert story == [
    (1, 3, False),
    (2, 6, False),
    (3, 9, False),
    (4, 12, False),
    (5, 12, True),  # settled: no inner loop any more
  ]


def test_the_outer_loop_has_a_cap():
  rising = list(np.arange(0, 4, 0.05))
  assert [over for _, _, over in live(rising, 6)] == [False] * 5 + [True]


def test_both_loops_are_capped_on_a_dead_network():
  """Nothing ever moves: the inner loop by its cap, the outer as it settles."""
  assert live([0.1], 3) == [(1, 5, False), (2, 10, False), (3, 10, True)]


# The method.


def toy(classes=CLASSES, shape=SHAPE, dtype=np.float32):
  rng = np.random.default_rng(0)
  label = np.arange(30 * classes) % classes
  image = rng.normal(size=(len(label), *shape)) + label[:, None, None, None]
  return resident(image.astype(dtype), label.astype(np.int32), classes, None)


def taps(image):
  x = image.reshape(len(image), -1)
  return Outputs(x[:, :CLASSES], x, (image, 2 * image, 3 * image, 4 * image))


PLAIN = Network(
  lambda key: {'params': {}},
  lambda variables, image, train=False: (taps(image), variables),
)


def make(network=PLAIN, ipc=IPC, optimizer=None, **settings):
  return cafe(
    pixels(ipc, labels='fixed'),
    network,
    optimizer or optax.sgd(1e-3),
    **{'batch_size': 12, **settings},
  )


def test_loss_is_the_papers(x64):
  method = make(inner_cap=10, embedding_weight=0.5, discrimination=0.2)
  source = toy(dtype=np.float64)
  state = method.init(KEY, source)
  batch = method.sample(KEY, STEP, source)
  _, metrics = jax.jit(method.update)(KEY, STEP, state, batch)
  image = np.asarray(batch.image)
  t = image.reshape(12, CLASSES, -1).swapaxes(0, 1)
  s = np.asarray(state.params['data']['image']).reshape(CLASSES, IPC, -1)
  gap = np.sum((t.mean(1) - s.mean(1)) ** 2)
  # Weights 0.1, 0.1, 1, 1 of taps that are the image times 1, 2, 3, 4.
  layers = (0.1 * 1 + 0.1 * 4 + 9 + 16) * gap
  nearness = t @ s.mean(1).T
  log_norm = np.log(np.exp(nearness).sum(-1))
  right = nearness[np.arange(CLASSES), :, np.arange(CLASSES)]
  expected = layers + 0.5 * gap + 0.2 * np.sum(log_norm - right)
  np.testing.assert_allclose(metrics['loss'], expected, rtol=1e-9)


def test_confusion_of_even_odds():
  found = confusion(jnp.ones((4, 5, 2)), jnp.ones((4, 2)))
  np.testing.assert_allclose(found, 4 * 5 * np.log(4), rtol=1e-6)


@functools.cache
def learner(shape, classes):
  return NETWORKS['convnet'](shape, classes, width=4)


@pytest.mark.parametrize('classes, shape', [(2, (8, 8, 1)), (5, (12, 10, 3))])
def test_any_number_of_classes_and_any_image_size(classes, shape):
  sizes = {'readings': 2, 'reading_size': 4, 'outer_cap': 2, 'inner_cap': 3}
  method = make(learner(shape, classes), ipc=1, **sizes)
  source = toy(classes, shape)
  state = method.init(KEY, source)
  update = jax.jit(method.update)
  ages, epochs = [], []
  for t in range(3):
    batch = method.sample(jax.random.key(t), STEP, source)
    state, metrics = update(jax.random.key(t), STEP, state, batch)
    assert np.isfinite(metrics['loss'])
    ages.append(int(state.models.age))
    epochs.append(int(state.models.aux.epochs))
  assert ages == [1, 0, 1]  # replaced by an untrained one at the cap
  assert 2 <= epochs[0] <= 3 and epochs[1] == 0


def test_the_inner_loop_trains_on_the_support_set():
  sizes = {'readings': 2, 'outer_cap': 2, 'inner_cap': 2, 'moved': 1.0}
  method = make(learner((8, 8, 1), 3), inner_optimizer=optax.sgd(0.5), **sizes)
  source = toy(shape=(8, 8, 1))
  state = method.init(KEY, source)
  batch = method.sample(KEY, STEP, source)
  after, _ = jax.jit(method.update)(KEY, STEP, state, batch)
  data = method.distilled(after)
  error = lambda model: optax.losses.softmax_cross_entropy(
    learner((8, 8, 1), 3).apply(model.variables, data.image)[0].logits,
    data.label,
  ).mean()
  assert error(after.models) < error(state.models) - 0.01
  assert after.models.age == 1


@pytest.mark.parametrize(
  'settings, words',
  [
    ({'readings': 1}, 'readings=1: allowed are 2'),
    ({'outer_cap': 9}, 'outer_cap=9: allowed are 10'),
    ({'inner_cap': 0}, 'inner_cap=0'),
    ({'reading_size': 0}, 'reading_size=0'),
  ],
)
def test_refuses_settings(settings, words):
  with pytest.raises(UserError) as error:
    make(**settings)
  assert words in str(error.value) and '\n' not in str(error.value)
