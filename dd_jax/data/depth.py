"""What numbers stand for black and white: found or stated, and said."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from dd_jax.types import UserError

Range = tuple[float, float]
"""The values of black and of white."""

_CHUNK = 4096
_FULL = (1, 255, 1023, 4095, 16383, 65535)  # white at the usual depths


class Scaled(NamedTuple):
  """Images in the two types that everything else reads.

  Attributes:
    images: uint8 as they were, or float32 in [0, 1].
    range: what was scaled from, or None where nothing was.
    notes: says so.
  """

  images: list[np.ndarray]
  range: Range | None = None
  notes: tuple[str, ...] = ()


def scaled(
  where: str,
  images: Sequence[np.ndarray],
  stated: Range | None = None,
) -> Scaled:
  """Scales images of one set by one range.

  uint8, and floats in [0, 1], stay as they are where no range is stated.

  Args:
    where: how messages name the images.
    images: arrays of one type, integers or finite floats.
    stated: the range; by default `likely` of the values found.

  Raises:
    UserError: values outside of the stated range, or images that are all of
      one value.
  """
  dtype = images[0].dtype
  kept = (0, 255) if dtype == np.uint8 else (0, 1)
  if dtype == np.uint8 and stated in (None, kept):
    return Scaled(list(images))
  found = _extremes(images)
  is_unit = dtype.kind == 'f' and 0 <= found[0] <= found[1] <= 1
  if is_unit and stated in (None, kept):
    return Scaled([x.astype(np.float32, copy=False) for x in images])
  if found[0] == found[1] and stated is None:
    raise UserError(f'{where} holds one value alone, {found[0]:g}')
  low, high = stated or likely(*found)
  _check_within(where, found, (low, high))
  how = 'as stated' if stated else '--range=LOW,HIGH states another'
  note = (
    f'{where}: {_kind(dtype)} from {found[0]:g} to {found[1]:g}: '
    f'{low:g} is black and {high:g} white ({how})'
  )
  return Scaled([_unit(x, low, high) for x in images], (low, high), (note,))


def likely(low: float, high: float) -> Range:
  """The range that values from `low` to `high` were most likely stored in.

  Black is 0, and white that of 1, 8, 10, 12, 14 or 16 bits where values reach
  its upper half; otherwise, and below 0, they are the extremes themselves
  (but -1 and 1 where values reach the outer halves of these).
  """
  if low < 0:
    return (-1, 1) if -1 <= low < -0.5 and 0.5 < high <= 1 else (low, high)
  white = next((full for full in _FULL if high <= full), high)
  return (0, white if high > white / 2 else high)


def check(stated: Range | None) -> None:
  """Raises `UserError` where a stated range is none."""
  if stated is None:
    return
  if not (np.isfinite(stated).all() and stated[0] < stated[1]):
    text = ','.join(f'{x:g}' for x in stated)
    raise UserError(
      f'range={text}: must be two numbers, that of black and a larger one of '
      'white, such as 0,4095'
    )


def _extremes(images: Sequence[np.ndarray]) -> Range:
  low, high = np.inf, -np.inf
  for image in images:
    for chunk in _chunks(image):
      low, high = min(low, chunk.min()), max(high, chunk.max())
  return float(low), float(high)


def _check_within(where: str, found: Range, bounds: Range) -> None:
  if not bounds[0] <= found[0] <= found[1] <= bounds[1]:
    raise UserError(
      f'range={bounds[0]:g},{bounds[1]:g}: {where} holds values from '
      f'{found[0]:g} to {found[1]:g}; all must lie within'
    )


def _unit(image: np.ndarray, low: float, high: float) -> np.ndarray:
  """Float32 in [0, 1], by way of float64; or uint8, where it holds them all."""
  if image.dtype.kind != 'f' and (low, high) == (0, 255):
    return image.astype(np.uint8)
  out = np.empty(image.shape, np.float32)
  for start in range(0, len(image), _CHUNK):
    chunk = image[start : start + _CHUNK].astype(np.float64)
    out[start : start + _CHUNK] = (chunk - low) / (high - low)
  return out


def _chunks(image: np.ndarray) -> Iterator[np.ndarray]:
  for start in range(0, len(image), _CHUNK):
    yield image[start : start + _CHUNK]


def _kind(dtype: np.dtype) -> str:
  return 'floats' if dtype.kind == 'f' else dtype.name
