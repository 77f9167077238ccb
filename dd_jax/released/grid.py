"""A picture of many images side by side, taken apart again."""

import numpy as np

from dd_jax.data import images
from dd_jax.types import UserError

PADDING = 2
"""Pixels around each tile, as the field's code saves its grids."""


def read(
  path: str, shape: tuple[int, int, int], padding: int = PADDING
) -> np.ndarray:
  """The tiles of a picture, row by row: uint8 `[n, h, w, c]`.

  Args:
    path: a PNG file.
    shape: `(h, w, c)` of one image.
    padding: pixels before each tile and after the last, in both directions.

  Raises:
    UserError: no such file, no picture, or a size that tiles cannot have.
  """
  height, width, channels = shape
  pixels = images.decode(path, grey=channels == 1).pixels
  rows, columns = (
    _count(path, pixels.shape, size, side, padding)
    for size, side in zip(pixels.shape[:2], shape[:2], strict=True)
  )
  step_y, step_x = height + padding, width + padding
  return np.stack(
    [
      pixels[y : y + height, x : x + width]
      for y in range(padding, padding + rows * step_y, step_y)
      for x in range(padding, padding + columns * step_x, step_x)
    ]
  )


def _count(
  path: str, shape: tuple[int, ...], size: int, side: int, padding: int
) -> int:
  count, rest = divmod(size - padding, side + padding)
  if rest or count < 1:
    raise UserError(
      f'{path}: {shape[0]} x {shape[1]} pixels are no grid of tiles of {side} '
      f'with --padding={padding} around each'
    )
  return count
