"""Cosine coefficients: SciPy's transform, the largest variances, the budget."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import fft

from dd_jax.parameterization import frequency, pixels
from dd_jax.parameterization.frequency import (
  class_masks,
  inverse_transform,
  transform,
)
from dd_jax.types import UserError

CLASSES, SHAPE = 3, (8, 6, 2)


def test_transform_is_scipys():
  image = np.random.default_rng(0).normal(size=(4, 7, 10, 3))
  expected = fft.dctn(image, axes=(1, 2), norm='ortho')
  image = jnp.asarray(image, jnp.float32)
  np.testing.assert_allclose(transform(image), expected, atol=1e-5)
  np.testing.assert_allclose(
    inverse_transform(transform(image)), image, atol=1e-5
  )


def test_full_budget_equals_pixels(started, numbers):
  made = frequency(2, SHAPE, CLASSES, keep=48)
  params, constants, data = started(made)
  plain = pixels(2)
  p, c, expected = started(plain)
  assert numbers((params, constants)) == numbers((p, c))
  np.testing.assert_allclose(data.image, expected.image, atol=1e-5)
  np.testing.assert_array_equal(data.label, expected.label)
  # The same gradient step, too: the transform is orthonormal.
  target = jax.random.normal(jax.random.key(1), data.image.shape)
  loss = lambda made, c: (
    lambda p: jnp.sum((made.decode(p, c).image - target) ** 2)
  )
  one, two = (
    jax.grad(loss(made, constants))(params),
    jax.grad(loss(plain, c))(p),
  )
  moved = made.decode(
    {**params, 'coefficient': params['coefficient'] - 0.1 * one['coefficient']},
    constants,
  ).image
  np.testing.assert_allclose(moved, p['image'] - 0.1 * two['image'], atol=1e-5)


def test_masks_hold_the_largest_variances(source):
  found = class_masks(source, 5)
  image, label = np.asarray(source.image), np.asarray(source.label)
  for one in range(CLASSES):
    coefficient = fft.dctn(image[label == one], axes=(1, 2), norm='ortho')
    variance = coefficient.var(0).mean(-1).ravel()
    assert set(np.flatnonzero(found[one])) == set(np.argsort(-variance)[:5])


@pytest.mark.parametrize('labels, label', [('fixed', 0), ('free', CLASSES)])
def test_budget_by_hand(started, numbers, labels, label):
  """A mask is a bit for each frequency and class: 6 bytes for 48."""
  made = frequency(2, SHAPE, CLASSES, keep=4, labels=labels)
  params, constants, data = started(made)
  budget = 2 * CLASSES * (96 + label)
  mask = -(-CLASSES * 6 // 4)
  images = (budget - mask) // (CLASSES * (4 * 2 + label))
  assert len(data.image) == images * CLASSES
  assert constants['mask'].shape == (CLASSES, 6)
  assert constants['mask'].dtype == jnp.uint8
  assert numbers((params, constants)) <= budget


def test_decodes_to_what_the_mask_leaves_of_the_start(started, source):
  params, _, data = started(frequency(1, SHAPE, CLASSES, keep=4))
  found = fft.dctn(np.asarray(data.image), axes=(1, 2), norm='ortho')
  per_class = len(found) // CLASSES
  mask = class_masks(source, 4).repeat(per_class, 0)
  assert np.abs(found.reshape(len(found), 48, 2)[~mask]).max() < 1e-5
  kept = found.reshape(len(found), 48, 2)[mask].reshape(
    params['coefficient'].shape
  )
  np.testing.assert_allclose(kept, params['coefficient'], atol=1e-5)


def test_a_sixteenth_by_default(started):
  params, _, _ = started(frequency(1, SHAPE, CLASSES))
  assert params['coefficient'].shape[2:] == (3, 2)


@pytest.mark.parametrize('keep', [-1, 49])
def test_refused(keep):
  with pytest.raises(UserError, match=f'keep={keep}: allowed are 0 to 48'):
    frequency(1, SHAPE, CLASSES, keep=keep)
