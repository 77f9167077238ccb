"""Siamese augmentation, and what distribution matching refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.augment import dsa
from dd_jax.data.source import resident
from dd_jax.methods.datadam import datadam
from dd_jax.methods.dm import dm
from dd_jax.methods.idm import idm
from dd_jax.methods.m3d import m3d
from dd_jax.parameterization import pixels
from dd_jax.types import UserError

IPC, SHAPE = 2, (8, 8, 1)
KEY = jax.random.key(0)
STEP = jnp.int32(0)


@pytest.mark.parametrize('method', [dm, m3d, datadam, idm])
def test_a_set_that_is_the_batch_is_matched_under_any_augmentation(
  toys, method
):
  """Siamese: both see the same draw, whichever it is."""
  made = toys.make(method, toys.convnet(), augment=dsa(), batch_size=IPC)
  source = toys.source()
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
def test_refuses_settings(toys, method, settings, words):
  with pytest.raises(UserError) as error:
    toys.make(method, **settings)
  assert words in str(error.value) and '\n' not in str(error.value)


def test_refuses_a_class_without_images(toys):
  with pytest.raises(UserError, match='class 3 has only 0'):
    held = toys.source()
    label = np.asarray(held.label)
    toys.make(dm).init(KEY, resident(np.asarray(held.image), label, 4, None))


def test_refuses_a_set_that_learns_no_images(toys):
  labels_only = pixels(IPC, learn_images=False)
  with pytest.raises(UserError, match='learns no images'):
    dm(labels_only, toys.plain, optax.sgd(1.0)).init(KEY, toys.source())


def test_refuses_a_set_that_is_not_class_by_class(toys):
  odd = pixels(IPC, labels='fixed')
  fewer = lambda params, constants: jax.tree.map(
    lambda a: a[:-1], odd.decode(params, constants)
  )
  with pytest.raises(UserError, match='5 images of 3 classes'):
    dm(odd._replace(decode=fewer), toys.plain, optax.sgd(1.0)).init(
      KEY, toys.source()
    )


def test_a_class_smaller_than_the_batch_is_drawn_with_repeats(toys):
  method = toys.make(dm, batch_size=50)
  _, batch, _, metrics = toys.step(method, toys.source(9))
  assert batch.image.shape[:2] == (50, 3) and np.isfinite(metrics['loss'])
