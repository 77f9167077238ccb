"""Which values are black and white."""

import numpy as np
import pytest

from dd_jax.data import depth
from dd_jax.types import UserError

LIKELY = {
  (0, 250): (0, 255), (3, 3890): (0, 4095), (0, 65535): (0, 65535),
  (0, 1023): (0, 1023), (0, 16): (0, 16), (0, 300): (0, 300), (0, 1): (0, 1),
  (0, 1.001): (0, 1.001), (0, 70_000): (0, 70_000), (-1, 1): (-1, 1),
  (-0.98, 0.9): (-1, 1), (-1e-7, 1): (-1e-7, 1), (-1024, 3071): (-1024, 3071),
}  # fmt: skip


@pytest.mark.parametrize(('found', 'expected'), LIKELY.items())
def test_likely(found, expected):
  assert depth.likely(*found) == expected


def _values(dtype, high, low=0):
  rng = np.random.default_rng(0)
  image = rng.integers(low, high, (6, 3, 4, 1), endpoint=True)
  image[0, 0, 0], image[0, 0, 1] = low, high
  return image.astype(dtype)


@pytest.mark.parametrize('dtype', [np.uint16, np.int16, np.int64, np.float64])
@pytest.mark.parametrize('high', [4095, 3000, 30_000])
def test_every_level_of_a_deep_image_stays_apart(dtype, high):
  image = _values(dtype, high)
  [out], bounds, notes = depth.scaled('x', [image])
  assert bounds == depth.likely(0, high) and out.dtype == np.float32
  assert 0 <= out.min() and out.max() <= 1
  np.testing.assert_array_equal(np.round(out * bounds[1]), image)
  assert f'{high:g}: 0 is black and {bounds[1]:g} white' in notes[0]


def test_one_range_for_all_splits():
  train, test = _values(np.uint16, 900), _values(np.uint16, 4000)
  found = depth.scaled('x', [train, test])
  assert found.range == (0, 4095)
  np.testing.assert_allclose(found.images[0], train / 4095, atol=1e-7)


def test_a_stated_range():
  image = _values(np.int16, 50, low=-20)
  found = depth.scaled('x', [image], (-100, 100))
  np.testing.assert_allclose(found.images[0], (image + 100) / 200, atol=1e-7)
  assert found.range == (-100, 100) and 'as stated' in found.notes[0]
  with pytest.raises(UserError, match='range=0,100: x holds values from -20'):
    depth.scaled('x', [image], (0, 100))


@pytest.mark.parametrize('stated', [None, (0, 255)])
def test_bytes_stay_bytes(stated):
  image = _values(np.uint8, 16)
  assert depth.scaled('x', [image], stated) == depth.Scaled([image])
  wide = depth.scaled('x', [_values(np.int64, 255)], stated)
  assert wide.images[0].dtype == np.uint8 and wide.range == (0, 255)


@pytest.mark.parametrize('stated', [None, (0, 1)])
def test_unit_floats_stay_as_they_are(stated):
  image = _values(np.float64, 100) / 1000
  [out], bounds, notes = depth.scaled('x', [image], stated)
  np.testing.assert_array_equal(out, image.astype(np.float32))
  assert bounds is None and notes == ()


def test_booleans_are_black_and_white():
  image = _values(np.int64, 1) > 0
  np.testing.assert_array_equal(depth.scaled('x', [image]).images[0], image)


@pytest.mark.parametrize('value', [0, 7, -3])
def test_one_value_alone_is_no_image(value):
  with pytest.raises(UserError, match='x holds one value alone'):
    depth.scaled('x', [np.full((2, 3, 3, 1), value)], None)


@pytest.mark.parametrize('stated', [(1, 1), (2, 1), (0, np.inf), (np.nan, 1.0)])
def test_a_range_that_is_none(stated):
  with pytest.raises(UserError, match=r'range=.*must be two numbers'):
    depth.check(stated)
