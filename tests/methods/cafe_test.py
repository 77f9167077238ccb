"""CAFE's loss against NumPy, and the life of its network."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.methods.cafe import cafe, confusion
from dd_jax.networks import NETWORKS, Network, Outputs
from dd_jax.parameterization import pixels
from dd_jax.types import UserError

CLASSES, IPC, SHAPE = 3, 2, (4, 4, 1)
KEY = jax.random.key(0)
STEP = jnp.int32(0)


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


def test_loss_is_the_papers(x64, noisy_classes):
  method = make(inner_cap=10, embedding_weight=0.5, discrimination=0.2)
  source = noisy_classes(90, SHAPE, dtype=np.float64)
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
def test_any_number_of_classes_and_any_image_size(
  noisy_classes, classes, shape
):
  sizes = {'readings': 2, 'reading_size': 4, 'outer_cap': 2, 'inner_cap': 3}
  method = make(learner(shape, classes), ipc=1, **sizes)
  source = noisy_classes(30 * classes, shape, classes)
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


def test_the_inner_loop_trains_on_the_support_set(noisy_classes):
  sizes = {'readings': 2, 'outer_cap': 2, 'inner_cap': 2, 'moved': 1.0}
  method = make(learner((8, 8, 1), 3), inner_optimizer=optax.sgd(0.5), **sizes)
  source = noisy_classes(90, (8, 8, 1))
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
