"""What labels may be."""

import numpy as np
import pytest

from dd_jax.data.numbering import numbered
from dd_jax.types import UserError

NUMBER = np.array([2, 0, 1, 1, 0, 2])
NAMES = np.array(['ant', 'bee', 'cat'])

KINDS = {
  'integers': (NUMBER, None),
  'a column': (NUMBER[:, None], None),
  'whole floats': (NUMBER.astype(float), None),
  'text': (NAMES[NUMBER], ('ant', 'bee', 'cat')),
  'bytes': (NAMES[NUMBER].astype('S'), ('ant', 'bee', 'cat')),
  'strings': (NAMES[NUMBER].astype(object), ('ant', 'bee', 'cat')),
  'text column': (NAMES[NUMBER][:, None], ('ant', 'bee', 'cat')),
  'numerals': (np.array(['9', '10', '11'])[NUMBER], ('9', '10', '11')),
  'one-hot': (np.eye(3)[NUMBER], ('0', '1', '2')),
  'one-hot bool': (np.eye(3)[NUMBER] > 0, ('0', '1', '2')),
}


@pytest.mark.parametrize('kind', KINDS)
def test_every_kind_is_the_same_classes(kind):
  label, names = KINDS[kind]
  found = numbered([('y', label), ('z', label[:2])], None)
  assert [y.tolist() for y in found.labels] == [NUMBER.tolist(), [2, 0]]
  assert all(y.dtype == np.int32 for y in found.labels)
  assert found.names == names
  assert bool(found.notes) == (kind not in ('integers', 'a column'))


def test_given_names_order_text():
  found = numbered([('y', NAMES[NUMBER])], ('cat', 'bee', 'ant', 'dog'))
  assert found.labels[0].tolist() == (2 - NUMBER).tolist()
  assert found.notes == ()


BAD = {
  'multi-label': (
    np.maximum(np.eye(3)[NUMBER], np.eye(3)[0]),
    'y is multi-label: 4 of 6',
  ),
  'no label': (np.eye(3)[NUMBER] * [1, 0, 1], 'y: row 2 has no 1'),
  'soft': (np.full((6, 3), 1 / 3), 'other values than 0 and 1'),
  'two columns': (np.stack([NUMBER, NUMBER], 1), 'other values than 0 and 1'),
  'halves': (NUMBER / 2, 'has type float64; labels must be integers'),
  'nan': (np.where(NUMBER > 1, np.nan, NUMBER), 'labels must be integers'),
  'not UTF-8': (np.array([b'\xff', b'a']), 'not UTF-8'),
  'deep': (np.zeros((2, 2, 2), int), 'labels must be one class number'),
}


@pytest.mark.parametrize('case', BAD)
def test_bad_labels(case):
  label, words = BAD[case]
  with pytest.raises(UserError, match=words) as error:
    numbered([('y', label)], None)
  assert '\n' not in str(error.value)


def test_splits_of_two_kinds():
  with pytest.raises(UserError, match="z holds 'dog', and no class"):
    numbered([('y', NAMES[NUMBER]), ('z', np.array(['ant', 'dog']))], None)
  with pytest.raises(UserError, match='z has type int64'):
    numbered([('y', NAMES[NUMBER]), ('z', NUMBER)], None)
  with pytest.raises(UserError, match='one-hot rows of 3 numbers'):
    numbered([('y', np.eye(3)[NUMBER]), ('z', NUMBER)], None)
