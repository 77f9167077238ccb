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


def sentence(
  pixels: Mapping[str, Any], config: Mapping[str, Any] | None = None
) -> str:
  """`Shown`, as a mapping, in words.

  Args:
    pixels: of a set.
    config: of the run that made it: it says whether pixels were kept in range.
  """
  what = 'rescale every image'
  if not pixels['rescaled']:
    what = f'clip {100 * pixels["clipped"]:.1f} % of their values'
  low, high = (round(pixels[end], 2) + 0.0 for end in ('low', 'high'))
  return (
    f'stored pixels lie from {low:.2f} to {high:.2f}, those of the data from 0 '
    f'to 1{_reason(pixels, config or {})}; pictures {what}'
  )


def _reason(pixels: Mapping[str, Any], config: Mapping[str, Any]) -> str:
  """Why pixels are where they are, where a choice decided it; or ''."""
  part = config.get('parameterization', {})
  if part.get('range') == 'data':
    return ', and were kept there (parameterization.range=data)'
  left = pixels['clipped'] and part.get('name') == 'pixels'
  return ', and may leave it (parameterization.range=free)' if left else ''
