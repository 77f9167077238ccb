"""Some classes of a set, as a set of their own."""

import numpy as np
import pytest

from dd_jax.data import choice, dataset
from dd_jax.data.raw import Arrays, Raw
from dd_jax.types import UserError

NAMES = ('ant', 'bee', 'cat', 'dog')


def _raw(names=NAMES, first=0):
  label = np.arange(24, dtype=np.int32) % 4 + first
  image = label[:, None, None, None].astype(np.uint8)
  arrays = Arrays(np.tile(image, (1, 2, 2, 1)), label)
  return Raw('four', arrays, Arrays(arrays.image[:8], label[:8]), names)


@pytest.mark.parametrize(
  'classes', [('dog', 'ant'), ('3', '0'), (3, 0), 'dog,ant']
)
def test_classes_are_numbered_in_the_order_given(classes):
  found = choice.only(_raw(), classes)
  assert found.class_names == ('dog', 'ant')
  for part in (found.train, found.test):
    expected = np.array([3, 0])[part.label]
    np.testing.assert_array_equal(part.image[:, 0, 0, 0], expected)
  assert len(found.train.label) == 12 and len(found.test.label) == 4
  assert '12 of 24 training images' in found.notes[-1]


def test_none_takes_all():
  raw = _raw()
  assert choice.only(raw, ()) is raw


def test_labels_from_five():
  """Refused as they are, in a line that says how to take them."""
  raw = _raw(None, first=5)
  with pytest.raises(UserError, match=r'--classes=5,6,7,8$'):
    dataset.assemble(raw)
  data = dataset.assemble(choice.only(raw, ('5', '6', '7', '8')))
  assert data.class_names == ('5', '6', '7', '8')
  assert sorted(set(data.train.label.tolist())) == [0, 1, 2, 3]


@pytest.mark.parametrize(
  ('classes', 'words'),
  [
    (('ant',), 'two or more different'),
    (('ant', 'ant'), 'two or more different'),
    (('ant', '0'), 'two or more different'),
    (('ant', 'cow'), "classes='cow': unknown"),
    (('ant', '4'), "classes='4': unknown"),
  ],
)
def test_bad_choices(classes, words):
  with pytest.raises(UserError, match=words):
    choice.only(_raw(), classes)
