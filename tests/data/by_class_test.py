"""A source read class by class."""

import jax
import numpy as np
import pytest

from dd_jax.data import by_class
from dd_jax.data.source import HostSource, resident
from dd_jax.types import UserError

LABEL = np.array([2, 0, 2, 1, 0, 2], np.int32)
IMAGE = np.arange(6, dtype=np.float32)[:, None, None, None] * np.ones((2, 2, 1))
IMAGE = IMAGE.astype(np.float32)
SOURCES = {
  'resident': resident(IMAGE, LABEL, 3, None),
  'host': HostSource(IMAGE, LABEL, None, 3),
}


@pytest.mark.parametrize('name', SOURCES)
def test_members_are_those_of_the_class(name):
  found = by_class.class_members(SOURCES[name])
  assert [sorted(members.tolist()) for members in found] == [
    [1, 4],
    [3],
    [0, 2, 5],
  ]


@pytest.mark.parametrize('name', SOURCES)
def test_images_come_in_the_order_asked_for(name, monkeypatch):
  monkeypatch.setattr(by_class, '_TAKE', 2)
  found = by_class.take_images(SOURCES[name], np.array([5, 0, 3]))
  np.testing.assert_array_equal(found, IMAGE[[5, 0, 3]])


def test_a_generator_follows_its_key():
  draw = lambda seed: by_class.numpy_generator(jax.random.key(seed)).random()
  assert draw(0) == draw(0) != draw(1)


def test_too_few_examples_are_refused():
  by_class.check_counts(SOURCES['host'], 1)
  with pytest.raises(UserError, match='class 1 has only 1'):
    by_class.check_counts(SOURCES['host'], 2)


@pytest.mark.parametrize('name', SOURCES)
def test_what_comes_again_and_who_has_fewer(name):
  found = by_class.repeats(SOURCES[name], 3)
  assert found.tolist() == [
    [False, False, True], [False, True, True], [False, False, False]
  ]  # fmt: skip
  names = ('ant', 'bee', 'cat')
  assert by_class.fewer(SOURCES[name], names, 3) == "2 of 'ant', 1 of 'bee'"
  assert by_class.fewer(SOURCES[name], names, 1) == ''
