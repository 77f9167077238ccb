"""Colours of signed numbers, by the published matrices of OKLab."""

import numpy as np
import pytest

from dd_jax.report.colours import diverging


def _lightness(rgb: np.ndarray) -> np.ndarray:
  """OKLab lightness, by the published forward matrices."""
  curved = rgb / 255.0
  linear = np.where(
    curved <= 0.04045, curved / 12.92, ((curved + 0.055) / 1.055) ** 2.4
  )
  to_lms = np.array(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ]
  )
  lms = np.cbrt(linear @ to_lms.T)
  return lms @ np.array([0.2104542553, 0.7936177850, -0.0040720468])


@pytest.mark.parametrize('dark', [False, True])
def test_colours_are_even_and_symmetric(dark: bool) -> None:
  colours = diverging(np.linspace(-1, 1, 101), dark=dark)
  light = _lightness(colours)
  np.testing.assert_allclose(light, light[::-1], atol=0.012)
  np.testing.assert_allclose(np.diff(light[50:], 2), 0, atol=0.008)
  assert np.ptp(colours[50].astype(int)) <= 2  # zero has no hue
  assert colours[0, 2] > colours[0, 0] and colours[-1, 0] > colours[-1, 2]


def test_colour_of_nan_is_grey() -> None:
  assert (diverging(np.array([np.nan])) == 128).all()
