"""Images as plain uint8 pictures. NumPy and Pillow only."""

import base64
import io
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dd_jax.files import write_atomically

_ROW_LIMIT = 20
_ROW_WIDTH = 1200  # pixels of a row of images, where one alone is not wider


def grid(
  images: np.ndarray,
  *,
  columns: int,
  scale: int = 1,
  gap: int = 2,
  background: int = 255,
) -> np.ndarray:
  """Lays images out row by row, each pixel enlarged to a crisp square.

  Args:
    images: uint8 `[n, h, w, c]`; one channel is grey, of more the first three
      are shown.
    columns: images in a row; the last row may be short.
    scale: side of the square that a pixel becomes, in pixels.
    gap: pixels between neighbours; none around the outside.
    background: grey level of the gaps and of the empty places.

  Returns:
    uint8 `[H, W, 3]`.
  """
  tiles = enlarge(_as_rgb(images), scale)
  n, h, w, _ = tiles.shape
  columns = max(1, min(columns, n))
  rows = max(1, math.ceil(n / columns))
  shape = (rows, h + gap, columns, w + gap, 3)
  canvas = np.full(shape, background, np.uint8)
  row, column = np.divmod(np.arange(n), columns)
  canvas[row, :h, column, :w] = tiles
  flat = canvas.reshape(rows * (h + gap), columns * (w + gap), 3)
  return flat[: rows * (h + gap) - gap, : columns * (w + gap) - gap]


def transparent_grid(
  images: np.ndarray, *, columns: int, scale: int = 1, gap: int = 2
) -> np.ndarray:
  """Returns `grid` as uint8 `[H, W, 4]` that is see-through between images."""
  picture = grid(images, columns=columns, scale=scale, gap=gap)
  alpha = grid(
    np.full((*images.shape[:3], 1), 255, np.uint8),
    columns=columns,
    scale=scale,
    gap=gap,
    background=0,
  )
  return np.concatenate([picture, alpha[..., :1]], axis=-1)


def class_columns(per_class: int, limit: int = _ROW_LIMIT) -> int:
  """Returns how many images of a class share a row: all, up to the limit.

  Larger classes get rows of half that or more, full ones where possible.
  """
  if per_class <= limit:
    return max(1, per_class)
  halves = range(max(1, limit // 2), limit + 1)
  return max([c for c in halves if per_class % c == 0], default=limit)


def images_per_class(n: int, classes: int) -> int | None:
  """Returns n / classes, or None where the set cannot be class-major."""
  return n // classes if classes and n and n % classes == 0 else None


def class_cuts(
  n: int, classes: int, counts: Sequence[int] = ()
) -> list[slice] | None:
  """Where each class's images lie, or None where that is not known.

  Args:
    n: images.
    classes: in class-major order.
    counts: images of each, where they differ.
  """
  each = images_per_class(n, classes)
  if not counts and each is None:
    return None
  ends = itertools.accumulate(counts or [each or 0] * classes)
  return [slice(a, b) for a, b in itertools.pairwise([0, *ends])]


def class_grid(
  images: np.ndarray,
  classes: int,
  *,
  counts: Sequence[int] = (),
  scale: int = 1,
  gap: int = 2,
  background: int = 255,
) -> np.ndarray:
  """Lays a class-major set out so that every class starts a row.

  With one image per class, and where classes cannot be told apart, the images
  just follow each other, ten to a row, or twenty of many. Rows are at most
  1,200 pixels wide, where a single image is not wider.

  Args:
    images: uint8 `[n, h, w, c]`, class-major.
    classes: number of classes.
    counts: images of each, where they differ.
    scale: as in `grid`.
    gap: as in `grid`.
    background: as in `grid`.

  Returns:
    uint8 `[H, W, 3]`.
  """
  n, *shape = images.shape
  each = max(counts) if counts else images_per_class(n, classes)
  columns = _columns(n, each, scale * shape[1])
  cuts = class_cuts(n, classes, counts)
  if cuts is not None and each is not None and each > 1:
    rows = math.ceil(each / columns)
    padded = np.full((classes, rows * columns, *shape), background, np.uint8)
    for row, cut in zip(padded, cuts, strict=True):
      row[: cut.stop - cut.start] = images[cut]
    images = padded.reshape(-1, *shape)
  return grid(
    images, columns=columns, scale=scale, gap=gap, background=background
  )


def _columns(n: int, each: int | None, width: int) -> int:
  """Images in a row: as many as `class_columns` says, if there is room."""
  most = max(1, min(_ROW_LIMIT, _ROW_WIDTH // (width + 2)))
  if each is None or each == 1:
    return min(10 if n <= 200 else _ROW_LIMIT, most)
  return class_columns(each, most)


def side_by_side(
  left: np.ndarray, right: np.ndarray, *, gap: int = 32, background: int = 255
) -> np.ndarray:
  """Puts two pictures next to each other, tops aligned.

  Args:
    left: uint8 `[h1, w1, 3]`.
    right: uint8 `[h2, w2, 3]`.
    gap: pixels between them.
    background: grey level of the gap and under the lower one.

  Returns:
    uint8 `[max(h1, h2), w1 + gap + w2, 3]`.
  """
  height = max(len(left), len(right))
  width = left.shape[1] + gap + right.shape[1]
  canvas = np.full((height, width, 3), background, np.uint8)
  canvas[: len(left), : left.shape[1]] = left
  canvas[: len(right), left.shape[1] + gap :] = right
  return canvas


def annotate(
  picture: np.ndarray,
  *,
  title: str,
  row_names: list[str],
  column_names: Sequence[str] = (),
) -> np.ndarray:
  """Writes a title above a picture, and names beside and below it.

  Args:
    picture: uint8 `[h, w, 3]`.
    title: one line; empty for none.
    row_names: names of rows that share the height evenly; empty for none.
    column_names: of columns that share the width evenly; empty for none.

  Returns:
    uint8 `[H, W, 3]`, on white.
  """
  font = ImageFont.load_default(14)
  h, w, _ = picture.shape
  names = [name[:12] for name in column_names]
  beyond = [
    math.ceil((font.getlength(name) - w / len(names)) / 2)
    for name in names[:1] + names[-1:]
  ]  # of the ends, over the sides of the picture
  left = max([int(font.getlength(name[:24])) + 10 for name in row_names] + [0])
  left = max(left, *beyond, 0)
  top, below = 26 if title else 0, 24 if names else 0
  width = left + max(w, int(font.getlength(title)), *(w + b for b in beyond))
  image = Image.new('RGB', (width, top + h + below), 'white')
  image.paste(Image.fromarray(picture), (left, top))
  draw = ImageDraw.Draw(image)
  draw.text((left, 10), title, '#1b1d22', font, anchor='lm')
  for i, name in enumerate(row_names):
    y = top + (i + 0.5) * h / len(row_names)
    draw.text((left - 10, y), name[:24], '#555c68', font, anchor='rm')
  for i, name in enumerate(names):
    x = left + (i + 0.5) * w / len(names)
    draw.text((x, top + h + 12), name, '#555c68', font, anchor='mm')
  return np.asarray(image)


def overview(
  image: np.ndarray,
  start: np.ndarray | None,
  class_names: tuple[str, ...],
  counts: Sequence[int] = (),
) -> np.ndarray:
  """Draws a distilled set beside what it started from, classes named.

  Args:
    image: uint8 `[n, h, w, c]`, class-major.
    start: of the same form, or None where it is unknown.
    class_names: one per class, in label order.
    counts: images of each, where they differ.

  Returns:
    uint8 `[H, W, 3]` on white, at most about 2,400 pixels wide where the
    images' own pixels allow.
  """
  k = len(class_names)
  each = max(counts) if counts else images_per_class(len(image), k)
  columns = _columns(len(image), each, image.shape[2])
  room = min(
    1100 // (columns * image.shape[2]),
    math.isqrt(4_000_000 // max(1, math.prod(image.shape[:3]))),
  )
  scale = max(1, min(room, math.ceil(96 / image.shape[1])))
  drawn = class_grid(image, k, counts=counts, scale=scale)
  blocks = each is not None and each > 1 and len(drawn) >= 16 * k
  rows = list(class_names) if blocks else []
  below = class_names if each == 1 and k <= columns else ()
  left = annotate(drawn, title='Distilled', row_names=rows, column_names=below)
  if start is None:
    return framed(left)
  drawn = class_grid(start, k, counts=counts, scale=scale)
  right = annotate(
    drawn, title='Started from', row_names=[], column_names=below
  )
  return framed(side_by_side(left, right))


def encode(picture: np.ndarray, quality: int | Literal['exact']) -> bytes:
  """Returns a picture as PNG, or as WebP of a quality from 0 to 100.

  Args:
    picture: uint8 `[h, w, 3]` or `[h, w, 4]`; grey `[h, w]`.
    quality: 'exact' for PNG.
  """
  buffer = io.BytesIO()
  image = Image.fromarray(picture)
  if quality == 'exact':
    image.save(buffer, 'PNG', optimize=picture.size < 2_000_000)
  else:
    image.save(buffer, 'WEBP', quality=quality, method=2)
  return buffer.getvalue()


def data_uri(content: bytes) -> str:
  """Returns an encoded picture as a URI that holds it."""
  kind = 'png' if content.startswith(b'\x89PNG') else 'webp'
  return f'data:image/{kind};base64,{base64.b64encode(content).decode()}'


def write_png(path: Path, picture: np.ndarray) -> None:
  """Writes uint8 `[h, w, 3]` or `[h, w]` as a PNG, all of it or nothing.

  Raises:
    UserError: the disk is full.
    OSError: the folder is missing or not writable.
  """
  write_atomically(path, encode(picture, 'exact'))


def shrunk(images: np.ndarray, side: int) -> np.ndarray:
  """Returns `[n, h, w, c]` with no side longer than that, averaged down."""
  h, w = images.shape[1:3]
  longest = max(h, w)
  if longest <= side:
    return images
  size = max(1, round(w * side / longest)), max(1, round(h * side / longest))
  small = [
    Image.fromarray(image).resize(size, Image.Resampling.BOX)
    for image in _as_rgb(images)
  ]
  return np.stack([np.asarray(image) for image in small])


def _as_rgb(images: np.ndarray) -> np.ndarray:
  if images.shape[-1] >= 3:
    return images[..., :3]
  return np.repeat(images[..., :1], 3, axis=-1)


def enlarge(images: np.ndarray, scale: int | tuple[int, int]) -> np.ndarray:
  """Returns `[n, h, w, c]` with each pixel as many, down and across."""
  down, across = (scale, scale) if isinstance(scale, int) else scale
  return images.repeat(down, axis=1).repeat(across, axis=2)


def framed(picture: np.ndarray, margin: int = 20) -> np.ndarray:
  """Returns a picture with white around it."""
  pad = ((margin, margin), (margin, margin), (0, 0))
  return np.pad(picture, pad, constant_values=255)
