"""Image files and image sizes: decoding, channels, resizing."""

import io
import os
import struct
import zlib
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import numpy as np
from PIL import Image, ImageOps

from dd_jax.files import one_line
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


class Stored(NamedTuple):
  """An image file inside of another file.

  Attributes:
    name: how messages call it.
    content: its bytes.
  """

  name: str
  content: bytes


File: TypeAlias = str | Stored
"""The path of an image file, or its bytes."""


def name_of(file: File) -> str:
  """How messages call it."""
  return file if isinstance(file, str) else file.name


class Header(NamedTuple):
  """What a file says before it is decoded.

  Attributes:
    height: as shown, in pixels.
    width: as shown, in pixels.
    grey: whether it has no colour.
    deep: whether it is grey of 16 bits.
    cut: whether it has 16 bits otherwise, of which Pillow gives the upper 8.
  """

  height: int
  width: int
  grey: bool
  deep: bool
  cut: bool


class Decoded(NamedTuple):
  """An image and what was done to it.

  Attributes:
    pixels: `[h, w, 1]` or `[h, w, 3]`, uint8; uint16 of deep grey, or float32
      in its units where that was resized.
    composed: whether transparent pixels were laid on white.
  """

  pixels: np.ndarray
  composed: bool = False


def header(file: File) -> Header:
  """Reads the head of a PNG or JPEG file.

  Raises:
    UserError: the file is empty or no such image.
  """
  try:
    with _open(file) as image:
      width, height = image.size
      # Orientations 5 to 8 lie on their side.
      if image.getexif().get(_ORIENTATION, 1) >= 5:
        width, height = height, width
      deep = image.mode in _DEEP_MODES
      cut = not deep and _has_16_bits(file)
      return Header(height, width, _is_grey(image), deep, cut)
  except _BROKEN as e:
    raise _unreadable(file, e) from e


def decode(file: File, *, grey: bool, size: int | None = None) -> Decoded:
  """Decodes a PNG or JPEG file, to one channel if `grey`, else to three.

  EXIF orientation is obeyed, transparency is laid on white. 16-bit grey keeps
  its values where grey is asked for. `size`: see `resize`.

  Raises:
    UserError: the file is damaged.
  """
  try:
    with _open(file) as image:
      upright = ImageOps.exif_transpose(image)
      if image.mode in _DEEP_MODES:
        return Decoded(_sized(_native(upright), size))
      flat = _flatten(upright)
      plain = flat.convert('L' if grey else 'RGB')
      if size is not None:
        plain = _fit(plain, size)
      pixels = np.asarray(plain).reshape(plain.height, plain.width, -1)
      return Decoded(pixels, flat is not upright)
  except _BROKEN as e:
    raise _unreadable(file, e) from e


def resize(image: np.ndarray, size: int) -> np.ndarray:
  """Scales the shorter side to `size` and crops the centre.

  Args:
    image: `[h, w, c]`, uint8, float32 in [0, 1], or other numbers.
    size: pixels.

  Returns:
    `[size, size, c]` of the same type; of other numbers float32, within their
    own extremes.
  """
  if image.shape[:2] == (size, size):
    return image
  if image.dtype in (np.uint8, np.float32):
    low, high, plain = 0.0, 1.0, image
  else:
    low, high, plain = image.min(), image.max(), image.astype(np.float32)
  planes = [
    np.asarray(_fit(Image.fromarray(np.ascontiguousarray(plane)), size))
    for plane in np.moveaxis(plain, -1, 0)
  ]
  out = np.stack(planes, -1)
  return out if out.dtype == np.uint8 else np.clip(out, low, high)


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


def _open(file: File) -> Image.Image:
  opened: str | io.BytesIO
  if isinstance(file, Stored):
    size, opened = len(file.content), io.BytesIO(file.content)
  else:
    size, opened = os.path.getsize(file), file
  if not size:
    raise OSError('the file is empty')
  return Image.open(opened, formats=_FORMATS)


def _is_grey(image: Image.Image) -> bool:
  if image.mode != 'P':
    return image.mode in _GREY_MODES
  palette = np.asarray(image.getpalette('RGB')).reshape(-1, 3)
  return bool((palette == palette[:, :1]).all())


def _has_16_bits(file: File) -> bool:
  """Whether a file is a PNG of 16 bits for each value."""
  head = file.content[:25] if isinstance(file, Stored) else _head(file)
  return head[1:4] == b'PNG' and head[24] == 16


def _head(path: str) -> bytes:
  with open(path, 'rb') as file:
    return file.read(25)


def _native(image: Image.Image) -> np.ndarray:
  """Deep grey as `[h, w, 1]`, in this machine's order of bytes."""
  values = np.asarray(image)[..., None]
  return values.astype(values.dtype.newbyteorder('='), copy=False)


def _sized(image: np.ndarray, size: int | None) -> np.ndarray:
  return image if size is None else resize(image, size)


def _flatten(image: Image.Image) -> Image.Image:
  """On white where any pixel is transparent; else the same image."""
  if not image.has_transparency_data:
    return image
  top = image.convert('RGBA')
  if np.asarray(top)[..., 3].min() == 255:
    return image
  return Image.alpha_composite(Image.new('RGBA', top.size, 'white'), top)


def _fit(image: Image.Image, size: int) -> Image.Image:
  return ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)


def _unreadable(file: File, error: Exception) -> UserError:
  return UserError(
    f'{name_of(file)} is no readable PNG or JPEG image ({one_line(error)})'
  )
