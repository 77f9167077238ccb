"""How far distilled images lie outside what their pictures can show."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from dd_jax.data.preprocess import Preprocessing

_DIGITS = 4


class Shown(NamedTuple):
  """The pixels of a set, undone to the units of the data.

  Attributes:
    low: the smallest, where real pixels lie from 0 to 1.
    high: the largest.
    clipped: the share of values that a picture clips: those that no rounding to
      0 ... 255 would bring into its range; 0 where it rescales.
    rescaled: whether pictures are rescaled image by image instead.
  """

  low: float
  high: float
  clipped: float
  rescaled: bool


def shown(preprocessing: Preprocessing, pixel: jax.Array | np.ndarray) -> Shown:
  """What `preprocessing.picture` does to pixels.

  Args:
    preprocessing: of the set.
    pixel: `[n, h, w, c]`, n above 0, as its `invert` gives them.
  """
  values = np.asarray(pixel, np.float64)
  level = np.round(255 * values)
  rescaled = preprocessing.unit_norm
  outside = np.mean((level < 0) | (level > 255))
  low, high, clipped = (
    round(float(v), _DIGITS)
    for v in (values.min(), values.max(), 0 if rescaled else outside)
  )
  return Shown(low, high, clipped, rescaled)


def sentence(pixels: Mapping[str, Any]) -> str:
  """`Shown`, as a mapping, in words."""
  what = 'rescale every image'
  if not pixels['rescaled']:
    what = f'clip {100 * pixels["clipped"]:.1f} % of their values'
  return (
    f'stored pixels lie from {pixels["low"]:.2f} to {pixels["high"]:.2f}, '
    f'those of the data from 0 to 1; pictures {what}'
  )
