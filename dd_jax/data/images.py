"""Image files and image sizes: decoding, channels, resizing."""

import os
import struct
import zlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from dd_jax.types import UserError

_FORMATS = ('PNG', 'JPEG')
_GREY_MODES = ('1', 'L', 'LA', 'I', 'I;16', 'I;16B')
_DEEP_MODES = ('I', 'I;16', 'I;16B')
_SIZES = (32, 64, 128)
_ORIENTATION = 0x0112
_BROKEN = (
  OSError, SyntaxError, ValueError, EOFError, TypeError, MemoryError,
  struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip


class Header(NamedTuple):
  """What a file says before it is decoded.

  Attributes:
    height: as shown, in pixels.
    width: as shown, in pixels.
    grey: whether it has no colour.
  """

  height: int
  width: int
  grey: bool


def header(path: str) -> Header:
  """Reads the head of a PNG or JPEG file.

  Raises:
    UserError: the file is empty or no such image.
  """
  try:
    with _open(path) as image:
      width, height = image.size
      # Orientations 5 to 8 lie on their side.
      if image.getexif().get(_ORIENTATION, 1) >= 5:
        width, height = height, width
      return Header(height, width, _is_grey(image))
  except _BROKEN as e:
    raise _unreadable(path, e) from e


def decode(path: str, *, grey: bool, size: int | None = None) -> np.ndarray:
  """Decodes a PNG or JPEG file: uint8 `[h, w, 1]` if `grey`, else `[h, w, 3]`.

  EXIF orientation is obeyed, transparency is laid on white, 16-bit grey is
  reduced to 8. `size`: see `resize`.

  Raises:
    UserError: the file is damaged.
  """
  try:
    with _open(path) as image:
      upright = ImageOps.exif_transpose(image)
      plain = _flatten(upright).convert('L' if grey else 'RGB')
      if size is not None:
        plain = _fit(plain, size)
      return np.asarray(plain).reshape(plain.height, plain.width, -1)
  except _BROKEN as e:
    raise _unreadable(path, e) from e


def resize(image: np.ndarray, size: int) -> np.ndarray:
  """Scales the shorter side to `size` and crops the centre.

  Args:
    image: `[h, w, c]`, uint8, or float32 in [0, 1].
    size: pixels.

  Returns:
    `[size, size, c]` of the same type.
  """
  if image.shape[:2] == (size, size):
    return image
  planes = [
    np.asarray(_fit(Image.fromarray(np.ascontiguousarray(plane)), size))
    for plane in np.moveaxis(image, -1, 0)
  ]
  out = np.stack(planes, -1)
  return out if out.dtype == np.uint8 else np.clip(out, 0, 1)


def resize_all(images: Iterable[np.ndarray], size: int) -> np.ndarray:
  """Resizes each of `[n, h, w, c]`: `[n, size, size, c]`; see `resize`."""
  return np.stack([resize(image, size) for image in images])


def check_size(size: int | None) -> None:
  """Raises `UserError` where a size to resize to makes no sense."""
  if size is not None and not 2 <= size <= 4096:
    raise UserError(f'image_size={size}: must be from 2 to 4096 pixels')


def check_equal(where: str, sizes: set[tuple[int, int]]) -> None:
  """Raises `UserError`, and suggests a size, where images differ in size."""
  if len(sizes) <= 1:
    return
  (h1, w1), (h2, w2) = min(sizes), max(sizes)
  middle = int(np.median([min(s) for s in sizes]))
  size = max((s for s in _SIZES if s <= middle), default=middle)
  raise UserError(
    f'{where}: images differ in size, from {h1} x {w1} to {h2} x {w2}; give '
    f'--image_size=N to resize them, for example --image_size={size}'
  )


def _open(path: str) -> Image.Image:
  if not os.path.getsize(path):
    raise OSError('the file is empty')
  return Image.open(path, formats=_FORMATS)


def _is_grey(image: Image.Image) -> bool:
  if image.mode != 'P':
    return image.mode in _GREY_MODES
  palette = np.asarray(image.getpalette('RGB')).reshape(-1, 3)
  return bool((palette == palette[:, :1]).all())


def _flatten(image: Image.Image) -> Image.Image:
  """Without depth beyond 8 bits and without transparency."""
  if image.mode in _DEEP_MODES:
    deep = np.asarray(image).astype(np.float64) / 257
    return Image.fromarray(np.clip(np.round(deep), 0, 255).astype(np.uint8))
  if not image.has_transparency_data:
    return image
  top = image.convert('RGBA')
  return Image.alpha_composite(Image.new('RGBA', top.size, 'white'), top)


def _fit(image: Image.Image, size: int) -> Image.Image:
  return ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)


def _unreadable(path: str, error: Exception) -> UserError:
  reason = ' '.join(str(error).split())[:120] or type(error).__name__
  return UserError(f'{path} is no readable PNG or JPEG image ({reason})')
