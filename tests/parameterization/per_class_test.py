"""Sets of other numbers of images for each class."""

import jax
import numpy as np
import pytest

from dd_jax.data.source import resident
from dd_jax.methods.selection import SELECTIONS, selection
from dd_jax.parameterization import STARTS, pixels
from dd_jax.parameterization.per_class import class_index, of_each
from dd_jax.types import UserError

KEY = jax.random.key(0)
COUNTS = (3, 1, 2)


def source():
  rng = np.random.default_rng(0)
  image = rng.normal(size=(24, 4, 4, 1)).astype(np.float32)
  return resident(image, np.arange(24, dtype=np.int32) % 3, 3, None)


@pytest.mark.parametrize('start', sorted(STARTS))
@pytest.mark.parametrize('labels', ['fixed', 'free'])
def test_each_class_is_as_in_a_set_of_its_number(start, labels):
  """Class by class, images and labels of the even set of that many."""
  if labels == 'free' and start != 'real':
    return  # labels know nothing of the start
  data = source()

  def decoded(ipc):
    made = pixels(ipc, start=STARTS[start], labels=labels)
    return made.decode(*made.init(KEY, data))

  found = decoded(COUNTS)
  ends = np.cumsum((0, *COUNTS))
  assert found.image.shape == (6, 4, 4, 1)
  for c, n in enumerate(COUNTS):
    even = decoded(n)
    own, rows = slice(ends[c], ends[c + 1]), slice(c * n, (c + 1) * n)
    np.testing.assert_array_equal(found.image[own], even.image[rows])
    np.testing.assert_array_equal(found.label[own], even.label[rows])


@pytest.mark.parametrize('name', sorted(SELECTIONS))
def test_selections_of_each_class(name):
  method, data = selection(SELECTIONS[name], COUNTS), source()
  found = method.distilled(method.init(KEY, data))
  np.testing.assert_array_equal(
    found.label, np.repeat(np.eye(3, dtype=np.float32), COUNTS, 0)
  )
  real = np.asarray(data.take(np.arange(24)).image)
  rows = [
    int(np.flatnonzero((real == image).all((1, 2, 3)))[0])
    for image in np.asarray(found.image)
  ]
  assert len(set(rows)) == 6
  np.testing.assert_array_equal(np.array(rows) % 3, [0, 0, 0, 1, 2, 2])


def test_equal_numbers_are_one_number():
  made = of_each(lambda count: np.arange(3 * count), (2, 2, 2))
  np.testing.assert_array_equal(made, np.arange(6))
  np.testing.assert_array_equal(class_index((2, 2, 2), 3), class_index(2, 3))


@pytest.mark.parametrize('ipc', [0, (2, 0, 1), ()])
def test_a_class_without_images_is_refused(ipc):
  with pytest.raises(UserError, match='ipc=0: allowed are 1'):
    pixels(ipc)


def test_numbers_of_other_classes_are_refused():
  with pytest.raises(UserError, match='must be 3 numbers'):
    pixels((1, 2)).init(KEY, source())
