"""Addressable memory: linear, counted by hand, as near its start as can be."""

import jax
import numpy as np
import pytest

from dd_jax.parameterization import memory
from dd_jax.parameterization.resize import resize
from dd_jax.types import UserError

CLASSES, SHAPE = 3, (8, 6, 2)


def test_decodes_as_sums_of_enlarged_bases(started):
  made = memory(2, SHAPE, CLASSES, bases=4)
  params, _, data = started(made)
  basis, address = (
    np.asarray(params[k], np.float64) for k in ('basis', 'address')
  )
  mixed = np.einsum('nj,jhwc->nhwc', address, basis)
  expected = resize(mixed.astype(np.float32), 8, 6)
  np.testing.assert_allclose(data.image, expected, atol=1e-5)


@pytest.mark.parametrize('labels, label', [('fixed', 0), ('free', CLASSES)])
def test_budget_by_hand(started, numbers, labels, label):
  """RTP's rule: what the bases leave, by the numbers of an address."""
  made = memory(2, SHAPE, CLASSES, bases=4, labels=labels)
  params, constants, data = started(made)
  budget = 2 * CLASSES * (96 + label)
  images = (budget - 4 * 4 * 3 * 2) // (CLASSES * (4 + label))
  assert len(data.image) == images * CLASSES
  assert numbers((params, constants)) <= budget
  assert budget - numbers((params, constants)) < CLASSES * (4 + label)


@pytest.mark.parametrize('ipc, bases, images', [(1, 16, 115), (10, 64, 403)])
def test_published_counts(ipc, bases, images):
  """CIFAR-10 at 1 and 10 images per class (arXiv 2206.02916)."""
  made = memory(ipc, (32, 32, 3), 10, bases=bases, labels='fixed')
  shapes = jax.eval_shape(
    made.decode,
    {
      'basis': jax.ShapeDtypeStruct((bases, 16, 16, 3), np.float32),
      'address': jax.ShapeDtypeStruct((10 * images, bases), np.float32),
    },
    {},
  )
  assert shapes.image.shape[0] == shapes.label.shape[0] == 10 * images


def test_svd_starts_at_the_images(started, source):
  """With as many bases as pixels, exactly at them (shrunk)."""
  made = memory(1, SHAPE, CLASSES, bases=24, images=4)
  _, _, data = started(made)
  target = made_of(source)
  np.testing.assert_allclose(data.image, target, atol=1e-4)
  few = memory(1, SHAPE, CLASSES, bases=3, images=4)
  params, _, near = started(few)
  error = np.linalg.norm(near.image - target) / np.linalg.norm(target)
  assert 0.05 < error < 0.9
  square = np.mean(np.asarray(params['basis']) ** 2, (1, 2, 3))
  np.testing.assert_allclose(square, 1, rtol=1e-4)


def made_of(source):
  from dd_jax.parameterization.starts import real

  image = real(jax.random.key(0), source, 4)
  return resize(resize(image, 4, 3), 8, 6)


def test_xavier_bounds(started):
  params, _, _ = started(memory(2, SHAPE, CLASSES, bases=4, first='xavier'))
  images = len(params['address'])
  for name, limit in (
    ('basis', (6 / ((4 + 2) * 12)) ** 0.5),
    ('address', (6 / (images + 4)) ** 0.5),
  ):
    largest = np.abs(params[name]).max()
    assert 0.8 * limit < largest <= limit


REFUSED = {
  'bases': ({'bases': 16}, 'ipc=1: fewer images than classes would fit'),
  'no bases': ({'bases': 0}, 'bases=0'),
  'downsample': ({'downsample': 0}, 'downsample=0'),
  'first': ({'first': 'pca'}, "first='pca'"),
  'labels': ({'labels': 'soft'}, "labels='soft'"),
}


@pytest.mark.parametrize('name', REFUSED)
def test_refused(name):
  settings, words = REFUSED[name]
  with pytest.raises(UserError) as error:
    memory(1, SHAPE, CLASSES, **settings)
  assert words in str(error.value) and '\n' not in str(error.value)


def test_more_than_the_budget_is_said():
  assert memory(2, SHAPE, CLASSES, bases=4).note == ''
  note = memory(2, SHAPE, CLASSES, bases=4, images=100).note
  assert 'plain images per class, more than ipc=2' in note
