"""What a support set starts from."""

import jax
import numpy as np
import pytest

from dd_jax.data.source import resident
from dd_jax.methods.selection import SELECTIONS
from dd_jax.parameterization import STARTS, from_distilled
from dd_jax.types import DistilledData, UserError

KEY = jax.random.key(0)
SHAPE = (3, 2, 1)
COUNTS = (5, 8)


def arrays():
  rng = np.random.default_rng(0)
  label = rng.permutation(np.repeat([0, 1], COUNTS)).astype(np.int32)
  image = rng.normal(size=(len(label), *SHAPE)) + 9 * label[:, None, None, None]
  return image.astype(np.float32), label


def source():
  return resident(*arrays(), 2, None)


@pytest.mark.parametrize('name', STARTS)
def test_shape_dtype_and_key(name):
  start = STARTS[name]
  image = start(KEY, source(), 3)
  assert image.shape == (6, *SHAPE) and image.dtype == np.float32
  np.testing.assert_array_equal(image, start(KEY, source(), 3))
  if name in ('real', 'noise', 'class_means'):
    assert np.any(image != start(jax.random.key(1), source(), 3))


@pytest.mark.parametrize('name', ['real', 'class_means', 'kmeans'])
def test_class_major(name):
  """Classes lie nine apart."""
  image = np.asarray(STARTS[name](KEY, source(), 3)).reshape(2, -1)
  assert image[0].mean() < 2 and image[1].mean() > 7


@pytest.mark.parametrize('name', ['real', 'kmeans'])
def test_real_images_are_distinct(name):
  image = np.asarray(STARTS[name](KEY, source(), 5))
  known = {x.tobytes() for x in arrays()[0]}
  found = {x.tobytes() for x in image}
  assert len(found) == 10 and found <= known


def test_real_equals_the_random_selection():
  image, _ = arrays()
  index = SELECTIONS['random'](KEY, source(), 3, None).reshape(-1)
  np.testing.assert_array_equal(STARTS['real'](KEY, source(), 3), image[index])


def test_noise_is_standard():
  image = np.asarray(STARTS['noise'](KEY, source(), 2000))
  assert abs(image.mean()) < 0.02 and abs(image.std() - 1) < 0.02


def test_class_means():
  image, label = arrays()
  found = np.asarray(STARTS['class_means'](KEY, source(), 500))
  for c, part in enumerate(found.reshape(2, 500, *SHAPE)):
    expected = image[label == c].mean(0)
    np.testing.assert_allclose(part.mean(0), expected, atol=0.03)
    np.testing.assert_allclose(part.std(0), 0.1, atol=0.02)


@pytest.mark.parametrize('name', ['real', 'kmeans'])
def test_none_are_refused(name):
  with pytest.raises(UserError, match='ipc=0'):
    STARTS[name](KEY, source(), 0)


@pytest.mark.parametrize('name', ['real', 'kmeans'])
def test_a_small_class_gives_all_it_has_and_noisy_copies(name):
  """Of 5 and 8 images, 7: two copies of the first class, none of the second."""
  image, label = arrays()
  found = np.asarray(STARTS[name](KEY, source(), 7)).reshape(2, 7, *SHAPE)
  known = [{x.tobytes() for x in image[label == c]} for c in (0, 1)]
  assert {x.tobytes() for x in found[0, :5]} == known[0]
  assert {x.tobytes() for x in found[1]} < known[1]
  step = found[0, 5:] - found[0, :2]
  assert 0.03 < step.std() < 0.3
  assert not np.allclose(step[0], step[1])


def test_an_empty_class_has_no_mean():
  image, label = arrays()
  real = resident(image, label, 3, None)
  with pytest.raises(UserError, match='class 2 has only 0'):
    STARTS['class_means'](KEY, real, 1)


def test_from_distilled():
  image = np.random.default_rng(1).normal(size=(4, *SHAPE)).astype(np.float32)
  start = from_distilled(DistilledData(image, None))
  np.testing.assert_array_equal(start(KEY, source(), 2), image)
  with pytest.raises(UserError, match='holds images of shape') as error:
    start(KEY, source(), 3)
  assert '\n' not in str(error.value)
