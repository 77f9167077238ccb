"""Label matrices: entries, borders, class numbers, and a scale that fits."""

import re

import numpy as np
import pytest

from dd_jax.report import labels
from dd_jax.report.colours import diverging


def test_label_matrix_is_centred_at_zero() -> None:
  label = np.array([[0.0, 2.0, -2.0], [1.0, 0.0, 0.0]])
  made = labels.matrix(label, cell=(2, 3))
  assert made.shape == (6, 6, 3)
  expected = diverging(label.T / 2.0)
  np.testing.assert_array_equal(made[::2, ::3], expected)


@pytest.mark.parametrize(('n', 'k'), [(1, 1), (10, 10), (1000, 10), (200, 100)])
def test_label_picture_of_any_size(n: int, k: int) -> None:
  label = np.zeros((n, k))
  made = labels.picture(label, tuple('c' * k))
  assert made.dtype == np.uint8 and made.shape[-1] == 3


def test_a_border_leaves_the_entries() -> None:
  label = np.array([[0.0, 1.0], [-1.0, 0.5]])
  made = labels.matrix(label, cell=(4, 3), border=True)
  plain = labels.matrix(label, cell=(4, 3))
  inside = np.ones(made.shape[:2], bool)
  inside[::4] = inside[:, ::3] = False
  np.testing.assert_array_equal(made[inside], plain[inside])
  assert len(np.unique(made[~inside], axis=0)) == 1


def texts(page: str) -> list[str]:
  return re.findall(r'>([^<>]+)<', page)


def test_every_class_has_its_number_twice() -> None:
  names = tuple('cats dogs owls'.split())
  said = texts(labels.figure(np.eye(3).repeat(2, 0), names))
  assert said[:6] == ['0 cats', '1 dogs', '2 owls', '0', '1', '2']


@pytest.mark.parametrize('k', [100, 1000])
def test_of_many_classes_some_have_their_number(k: int) -> None:
  names = tuple(str(i) for i in range(k))
  said = texts(labels.figure(np.eye(k), names))
  shown = [str(i) for i in range(0, k, k // 10)]
  assert [s for s in said if s in names][-12:-2] == shown


def test_sets_that_are_not_class_major_have_no_numbers_below() -> None:
  label = np.ones((7, 3))
  assert 'columns' not in labels.figure(label, ('a', 'b', 'c'))


@pytest.mark.parametrize(
  ('label', 'marks'),
  [
    ([[0.0, 1.0]], ['0', '1']),
    ([[-1.0, 2.0]], ['\N{MINUS SIGN}1', '0', '2']),
    ([[-0.1, 0.9]], ['\N{MINUS SIGN}0.1', '0.9']),
    ([[-3.0, -1.0]], ['\N{MINUS SIGN}3', '0']),
    ([[0.0, 0.0]], ['0', '1']),
    ([[np.nan, 2.0]], ['0', '2']),
  ],
)
def test_the_scale_ends_where_labels_do(
  label: list[list[float]], marks: list[str]
) -> None:
  said = texts(labels.figure(np.array(label), ('a', 'b')))
  assert said[-len(marks) :] == marks
