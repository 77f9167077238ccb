"""Which axis holds the channels."""

import numpy as np
import pytest

from dd_jax.data import layout
from dd_jax.types import UserError

LAST = [
  (28, 28, 1), (32, 32, 3), (8, 6, 3), (64, 64, 13), (64, 64, 2), (8, 8, 200),
  (120, 160, 4), (1, 100, 1), (3, 40, 3), (5, 5, 4),
]  # fmt: skip
FIRST = [
  (1, 28, 28), (3, 32, 32), (3, 64, 32), (13, 64, 64), (4, 120, 160),
  (3, 32, 64), (2, 9, 9),
]  # fmt: skip
EITHER = [
  (4, 4, 4), (4, 64, 4), (1, 100, 2), (32, 4, 4), (20, 30, 24), (16, 24, 20),
]  # fmt: skip


def _images(shape):
  return np.arange(2 * np.prod(shape)).reshape(2, *shape)


@pytest.mark.parametrize('shape', LAST)
def test_channels_at_the_end_stay_there(shape):
  image = _images(shape)
  found, notes = layout.channels_last('x', image)
  assert found is image
  assert [f'{shape[-1]} channels' in n for n in notes] == (
    [] if shape[-1] in (1, 3) else [True]
  )


@pytest.mark.parametrize('shape', FIRST)
def test_channels_in_front_are_moved_and_said(shape):
  image = _images(shape)
  found, notes = layout.channels_last('x', image)
  assert found.shape == (2, *shape[1:], shape[0])
  for c in range(shape[0]):
    np.testing.assert_array_equal(found[..., c], image[:, c])
  assert 'the channels come first' in notes[0]


@pytest.mark.parametrize('shape', EITHER)
def test_what_may_be_either_is_refused(shape):
  with pytest.raises(UserError, match='may be first or last'):
    layout.channels_last('x', _images(shape))


def test_a_missing_axis_is_added():
  found, notes = layout.channels_last('x', _images((4, 6)))
  assert found.shape == (2, 4, 6, 1) and notes == ()
