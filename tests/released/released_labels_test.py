"""Labels by what they are said to be."""

import numpy as np
import pytest

from dd_jax.released import labels
from dd_jax.types import UserError

ONE_HOT = np.eye(3, dtype=np.float32)


def test_ids_and_images_class_after_class():
  for found in (np.array([2, 0, 1]), np.array([2.0, 0.0, 1.0])):
    label, encoding = labels.read('', found, 3, 3)
    np.testing.assert_array_equal(label, ONE_HOT[[2, 0, 1]])
    assert encoding == 'one-hot' and label.dtype == np.float32
  label, _ = labels.read('class-major', None, 6, 3)
  np.testing.assert_array_equal(label, np.repeat(ONE_HOT, 2, 0))


def test_soft_labels():
  rng = np.random.default_rng(0)
  logits = 3 * rng.normal(size=(4, 3))
  power = np.exp(logits)
  want = power / power.sum(1, keepdims=True)
  label, encoding = labels.read('logits', logits, 4, 3)
  np.testing.assert_allclose(label, want, rtol=1e-6)
  same, _ = labels.read('probabilities', label, 4, 3)
  np.testing.assert_array_equal(same, label)
  assert encoding == 'one-hot'
  kept, encoding = labels.read('centred', logits, 4, 3)
  np.testing.assert_allclose(kept, logits, rtol=1e-6)
  assert encoding == 'centred'


@pytest.mark.parametrize(
  'kind, found, words',
  [
    ('', ONE_HOT, '--labels: missing'),
    ('', None, '--labels: missing'),
    ('nonsense', ONE_HOT, "--labels='nonsense'"),
    ('ids', np.array([0, 1, 3]), 'from 0 to 3; must be whole numbers'),
    ('ids', np.array([0, 0.5, 1]), 'whole numbers'),
    ('ids', ONE_HOT, r'\[3, 3\], for 3 images'),
    ('ids', None, 'the file holds none'),
    ('probabilities', ONE_HOT - 1 / 3, 'their rows sum to'),
    ('centred', np.zeros((3, 4)), r'must be \[3, 3\]'),
    ('logits', np.full((3, 3), np.nan), 'not finite'),
    ('class-major', ONE_HOT, 'labels of its own'),
  ],
)
def test_what_they_are_not(kind, found, words):
  with pytest.raises(UserError, match=words):
    labels.read(kind, found, 3, 3)


def test_unequal_classes():
  with pytest.raises(UserError, match='7 images are no equal number'):
    labels.read('class-major', None, 7, 3)
