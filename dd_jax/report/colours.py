"""Colours of signed numbers, equally strong for equal sizes."""

import numpy as np

# OKLab to linear sRGB, by way of cone responses (B. Ottosson, 2020).
_LAB_TO_LMS = np.array(
  [
    [1.0, 0.3963377774, 0.2158037573],
    [1.0, -0.1055613458, -0.0638541728],
    [1.0, -0.0894841775, -1.2914855480],
  ]
)
_LMS_TO_RGB = np.array(
  [
    [4.0767416621, -3.3077115913, 0.2309699292],
    [-1.2684380046, 2.6097574011, -0.3413193965],
    [-0.0041960863, -0.7034186147, 1.7076147010],
  ]
)
# Hue (degrees) and chroma of the two ends: blue below zero, orange above.
# The pair stays apart under the common colour-vision deficiencies.
_BELOW, _ABOVE = (255.0, 0.135), (48.0, 0.135)


def diverging(value: np.ndarray, *, dark: bool = False) -> np.ndarray:
  """Colours numbers by sign and size: blue below 0, orange above.

  Lightness falls (on a dark page: rises) evenly in OKLab away from 0, by as
  much on either side, so equal sizes look equally strong. NaN is mid grey.

  Args:
    value: `[...]`, clipped to `[-1, 1]`.
    dark: whether 0 is the colour of a dark page rather than of paper.

  Returns:
    uint8 `[..., 3]`, sRGB.
  """
  known = np.nan_to_num(np.clip(value, -1.0, 1.0))
  size = np.abs(known)
  centre, end = (0.25, 0.83) if dark else (0.975, 0.45)
  hue = np.deg2rad(np.where(known < 0, _BELOW[0], _ABOVE[0]))
  chroma = size * np.where(known < 0, _BELOW[1], _ABOVE[1])
  lab = np.stack(
    [
      centre + (end - centre) * size,
      chroma * np.cos(hue),
      chroma * np.sin(hue),
    ],
    axis=-1,
  )
  colour = _srgb(lab)
  return np.where(np.isnan(value)[..., None], np.uint8(128), colour)


def _srgb(lab: np.ndarray) -> np.ndarray:
  linear = np.clip((lab @ _LAB_TO_LMS.T) ** 3 @ _LMS_TO_RGB.T, 0.0, 1.0)
  curved = np.where(
    linear <= 0.0031308,
    12.92 * linear,
    1.055 * linear ** (1 / 2.4) - 0.055,
  )
  return np.round(255 * curved).astype(np.uint8)
