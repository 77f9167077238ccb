"""A whitening in 16 bits: what is lost, and that it is lost once."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.data import fitting, packing, preprocess

WHITENED = ('kip', 'rfad', 'frepo', 'kornia')


def images(seed=0, shape=(5, 4, 3)):
  """uint8 images whose neighbouring pixels are alike, as real ones are."""
  rng = np.random.default_rng(seed)
  x = rng.normal(size=(200, *shape)).cumsum(1).cumsum(2)
  return np.clip(40 * x + 128, 0, 255).astype(np.uint8)


@functools.cache
def fitted(name):
  return fitting.fit(name, images())


def error(found, expected):
  """Root mean square, relative."""
  found, expected = (np.asarray(x, np.float64) for x in (found, expected))
  return np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2))


@pytest.mark.parametrize('name', WHITENED)
def test_entries_are_off_by_half_a_step_at_most(name):
  packed = packing.pack(fitted(name))
  whiten = np.asarray(fitted(name).zca.whiten, np.float64)
  found = np.asarray(packing.unpack(packed).zca.whiten, np.float64)
  step = float(packed['whiten_step'])
  assert np.log2(step) == np.round(np.log2(step))
  assert step <= 2 / 32767 * np.abs(whiten).max()
  lower = np.tril_indices(len(whiten))
  assert np.abs(found - whiten)[lower].max() <= step / 2
  np.testing.assert_array_equal(found, found.T)


@pytest.mark.parametrize('name', WHITENED)
def test_images_are_whitened_and_shown_as_before(name):
  before, after = fitted(name), packing.unpack(packing.pack(fitted(name)))
  real = jnp.asarray(images(seed=1))
  white = before.apply(real)
  assert error(after.apply(real), white) < 1e-3
  assert error(after.invert(white), before.invert(white)) < 1e-3
  # The way back is that of its own way in, to rounding.
  back = after.zca.invert(after.zca.apply(white))
  assert error(back, white) < 1e-4
  assert after.zca.invert(white[0]).shape == white[0].shape


@pytest.mark.parametrize('name', fitting.MEASURED)
def test_what_was_unpacked_packs_to_the_same_bits(name):
  once = packing.pack(fitted(name))
  again = packing.pack(packing.unpack(once))
  assert once.keys() == again.keys()
  for key, value in once.items():
    assert again[key].dtype == value.dtype
    np.testing.assert_array_equal(again[key], value)


def test_whole_matrices_are_read():
  whole = preprocess.to_arrays(fitted('kip'))
  found = packing.unpack(whole).zca
  np.testing.assert_array_equal(found.whiten, whole['whiten'])
  np.testing.assert_array_equal(found.unwhiten, whole['unwhiten'])


@pytest.mark.slow
@pytest.mark.parametrize('name', WHITENED)
def test_the_stated_error_on_real_images(name, real_data):
  data = real_data('cifar10')
  before = fitting.fit(name, data['x_train'])
  after = packing.unpack(packing.pack(before))
  real = jnp.asarray(data['x_test'][:500])
  assert error(after.apply(real), before.apply(real)) < 0.005
