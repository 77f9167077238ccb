"""Classes meet by name: permuted, left alone, refused."""

import numpy as np
import pytest

from dd_jax.data.class_order import in_order
from dd_jax.data.dataset import from_arrays
from dd_jax.types import UserError


def named(*names):
  """Every image is of the value of its class's name, as a number."""
  label = np.arange(60) % len(names)
  value = np.asarray([ord(n[0]) for n in names], np.uint8)[label]
  image = np.broadcast_to(value[:, None, None], (60, 4, 4))
  return from_arrays(image, label, class_names=names, validation=6)


def test_every_image_keeps_its_name():
  found = in_order(named('cat', 'dog', 'bird'), ('bird', 'cat', 'dog'))
  assert found.class_names == ('bird', 'cat', 'dog')
  first = {ord(n[0]): n for n in found.class_names}
  for split in (found.train, found.validation, found.test):
    assert len(split.label)
    for image, label in zip(split.image, split.label, strict=True):
      assert first[int(image[0, 0, 0])] == found.class_names[label]
  assert 'by their names' in found.provenance['notes'][-1]


def test_the_same_order_changes_nothing():
  data = named('cat', 'dog')
  assert in_order(data, ['cat', 'dog']) is data


@pytest.mark.parametrize(
  'own, wanted', [(('0', '1'), ('b', 'a')), (('b', 'a'), ('0', '1'))]
)
def test_numbers_are_no_names(own, wanted):
  """They are taken in order, and that is said."""
  data = named(*own)
  found = in_order(data, wanted)
  np.testing.assert_array_equal(found.train.label, data.train.label)
  assert 'does not name its classes' in found.provenance['notes'][-1]


@pytest.mark.parametrize(
  'wanted, words',
  [
    (('cat', 'cow'), "'cow'"),
    (('cat', 'dog', 'bird'), "'bird'"),
    (tuple(f'c{i}' for i in range(9)), 'and 4 more'),
  ],
)
def test_other_classes_are_refused(wanted, words):
  with pytest.raises(UserError, match=words) as error:
    in_order(named('cat', 'dog'), wanted)
  assert '--classes' not in str(error.value)


def test_too_many_classes_are_named():
  with pytest.raises(UserError, match='--classes=dog,cat takes these alone'):
    in_order(named('cat', 'dog', 'bird'), ('dog', 'cat'))
