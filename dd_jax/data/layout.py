"""Where the channels of an array of images are: found, moved last, said."""

import numpy as np

from dd_jax.data import check
from dd_jax.types import UserError

_USUAL = (1, 3)
_MOST = 16
_LEAST_SIDE = 8


def channels_last(
  where: str, image: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
  """Brings images to `[n, h, w, c]`, and says what was no such array.

  One or three channels at the end are taken as they are. Otherwise the axis
  apart from two equal ones is that of the channels; where all three differ, the
  first or the last is, if it has 16 channels at most and both others are at
  least twice as long.

  Args:
    where: how messages name the array.
    image: `[n, h, w]`, `[n, h, w, c]` or `[n, c, h, w]`, any type.

  Returns:
    `(images, notes)`.

  Raises:
    UserError: no images, another rank, or channels on either axis.
  """
  check.image_rank(where, image)
  if image.ndim == 3:
    return image[..., None], ()
  if not _leads(where, image):
    return image, _told(where, image)
  note = (
    f'{where} has shape {image.shape}: the channels come first, and were moved '
    'last'
  )
  image = np.moveaxis(image, 1, -1)
  return image, (note, *_told(where, image))


def _leads(where: str, image: np.ndarray) -> bool:
  """Whether the channels come before height and width."""
  first, middle, last = image.shape[1:]
  if last in _USUAL or first == middle != last:
    return False
  if first < middle == last or _few(first, middle, last):
    return True
  if _few(last, first, middle):
    return False
  raise UserError(
    f'{where} has shape {image.shape}: its channels may be first or last; give '
    'N x H x W x C where C is 1 or 3, or H equals W and not C (pad the images '
    'otherwise)'
  )


def _few(channels: int, *sides: int) -> bool:
  return channels <= _MOST and min(sides) >= max(_LEAST_SIDE, 2 * channels)


def _told(where: str, image: np.ndarray) -> tuple[str, ...]:
  """What who looks at pictures must know."""
  channels = image.shape[-1]
  if channels in _USUAL:
    return ()
  shown = 'the first' if channels == 2 else 'the first three'
  return (
    f'{where} has {channels} channels: all are learned, pictures show {shown}',
  )
