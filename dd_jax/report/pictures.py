"""Images and label matrices as plain uint8 pictures. NumPy and Pillow only."""

import io
import math
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dd_jax.files import write_atomically

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
_ROW_LIMIT = 20


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
  tiles = _enlarge(_as_rgb(images), scale)
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


def class_columns(per_class: int) -> int:
  """Returns how many images of a class share a row: all, up to 20.

  Larger classes get rows of 10 to 20, full ones where that is possible.
  """
  if per_class <= _ROW_LIMIT:
    return max(1, per_class)
  full = [c for c in range(10, _ROW_LIMIT + 1) if per_class % c == 0]
  return max(full, default=_ROW_LIMIT)


def images_per_class(n: int, classes: int) -> int | None:
  """Returns n / classes, or None where the set cannot be class-major."""
  return n // classes if classes and n and n % classes == 0 else None


def class_grid(
  images: np.ndarray,
  classes: int,
  *,
  scale: int = 1,
  gap: int = 2,
  background: int = 255,
) -> np.ndarray:
  """Lays a class-major set out so that every class starts a row.

  With one image per class, and where classes cannot be told apart, the images
  just follow each other, ten to a row.

  Args:
    images: uint8 `[n, h, w, c]`, class-major.
    classes: number of classes.
    scale: as in `grid`.
    gap: as in `grid`.
    background: as in `grid`.

  Returns:
    uint8 `[H, W, 3]`.
  """
  n, *shape = images.shape
  each = images_per_class(n, classes)
  if each is None or each == 1:
    columns = 10 if n <= 200 else _ROW_LIMIT
  else:
    columns = class_columns(each)
    rows = math.ceil(each / columns)
    padded = np.full((classes, rows * columns, *shape), background, np.uint8)
    padded[:, :each] = images.reshape(classes, each, *shape)
    images = padded.reshape(-1, *shape)
  return grid(
    images, columns=columns, scale=scale, gap=gap, background=background
  )


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


def label_scale(label: np.ndarray) -> float:
  """Returns the largest finite size in `label` (1 where there is none)."""
  finite = np.abs(label[np.isfinite(label)])
  return float(finite.max(initial=0.0)) or 1.0


def label_matrix(
  label: np.ndarray,
  *,
  cell: tuple[int, int] = (1, 1),
  dark: bool = False,
) -> np.ndarray:
  """Draws labels as a matrix: classes downwards, images across.

  Args:
    label: `[n, k]`, one row per image.
    cell: height and width of an entry, in pixels.
    dark: as in `diverging`.

  Returns:
    uint8 `[k * cell[0], n * cell[1], 3]`, symmetric about 0.
  """
  scaled = np.asarray(label, np.float64).T / label_scale(label)
  return _enlarge(diverging(scaled, dark=dark)[None], cell)[0]


def label_picture(
  label: np.ndarray, class_names: tuple[str, ...]
) -> np.ndarray:
  """Draws the label matrix with class names, an axis and a colour scale.

  Args:
    label: `[n, k]`.
    class_names: k names, in label order.

  Returns:
    uint8 `[H, W, 3]`.
  """
  n, k = label.shape
  height = max(1, min(28, 1200 // k))
  cell = (height, max(1, min(28, 1200 // n)))
  matrix = label_matrix(label, cell=cell)
  named = list(class_names) if height >= 14 else []
  body = annotate(
    matrix, title='Labels: images across, classes down', row_names=named
  )
  return _stack(body, _legend(label_scale(label)))


def annotate(
  picture: np.ndarray, *, title: str, row_names: list[str]
) -> np.ndarray:
  """Writes a title above a picture and names beside its equal rows.

  Args:
    picture: uint8 `[h, w, 3]`.
    title: one line; empty for none.
    row_names: names of rows that share the height evenly; empty for none.

  Returns:
    uint8 `[H, W, 3]`, on white.
  """
  font = ImageFont.load_default(14)
  left = max([int(font.getlength(name[:24])) + 10 for name in row_names] + [0])
  top = 26 if title else 0
  h, w, _ = picture.shape
  width = max(left + w, left + int(font.getlength(title)))
  image = Image.new('RGB', (width, top + h), 'white')
  image.paste(Image.fromarray(picture), (left, top))
  draw = ImageDraw.Draw(image)
  draw.text((left, 10), title, '#1b1d22', font, anchor='lm')
  for i, name in enumerate(row_names):
    y = top + (i + 0.5) * h / len(row_names)
    draw.text((left - 10, y), name[:24], '#555c68', font, anchor='rm')
  return np.asarray(image)


def overview(
  image: np.ndarray, start: np.ndarray | None, class_names: tuple[str, ...]
) -> np.ndarray:
  """Draws a distilled set beside what it started from, classes named.

  Args:
    image: uint8 `[n, h, w, c]`, class-major.
    start: of the same form, or None where it is unknown.
    class_names: one per class, in label order.

  Returns:
    uint8 `[H, W, 3]` on white, at most about 2,400 pixels wide where the
    images' own pixels allow.
  """
  k = len(class_names)
  each = images_per_class(len(image), k)
  columns = 10 if each in (None, 1) else class_columns(each or 1)
  room = min(
    1100 // (columns * image.shape[2]),
    math.isqrt(4_000_000 // max(1, math.prod(image.shape[:3]))),
  )
  scale = max(1, min(room, math.ceil(96 / image.shape[1])))
  below = each == 1 and k <= columns
  drawn = _named_columns(class_grid(image, k, scale=scale), below, class_names)
  blocks = each is not None and each > 1 and len(drawn) >= 16 * k
  names = list(class_names) if blocks else []
  left = annotate(drawn, title='Distilled', row_names=names)
  if start is None:
    return _frame(left)
  drawn = _named_columns(class_grid(start, k, scale=scale), below, class_names)
  right = annotate(drawn, title='Started from', row_names=[])
  return _frame(side_by_side(left, right))


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


def write_png(path: Path, picture: np.ndarray) -> None:
  """Writes uint8 `[h, w, 3]` or `[h, w]` as a PNG, all of it or nothing.

  Raises:
    UserError: the disk is full.
    OSError: the folder is missing or not writable.
  """
  write_atomically(path, encode(picture, 'exact'))


def _as_rgb(images: np.ndarray) -> np.ndarray:
  if images.shape[-1] >= 3:
    return images[..., :3]
  return np.repeat(images[..., :1], 3, axis=-1)


def _enlarge(images: np.ndarray, scale: int | tuple[int, int]) -> np.ndarray:
  down, across = (scale, scale) if isinstance(scale, int) else scale
  return images.repeat(down, axis=1).repeat(across, axis=2)


def _srgb(lab: np.ndarray) -> np.ndarray:
  linear = np.clip((lab @ _LAB_TO_LMS.T) ** 3 @ _LMS_TO_RGB.T, 0.0, 1.0)
  curved = np.where(
    linear <= 0.0031308,
    12.92 * linear,
    1.055 * linear ** (1 / 2.4) - 0.055,
  )
  return np.round(255 * curved).astype(np.uint8)


def _legend(scale: float) -> np.ndarray:
  bar = _enlarge(diverging(np.linspace(-1, 1, 201))[None, None], (12, 1))[0]
  font = ImageFont.load_default(14)
  image = Image.new('RGB', (340, 44), 'white')
  image.paste(Image.fromarray(bar), (70, 22))
  draw = ImageDraw.Draw(image)
  end = f'{scale:.3g}'
  # Pillow's own font has no minus sign.
  draw.text((64, 28), '-' + end, '#555c68', font, anchor='rm')
  draw.text((277, 28), end, '#555c68', font, anchor='lm')
  draw.text((170, 10), '0', '#555c68', font, anchor='mm')
  return np.asarray(image)


def _named_columns(
  picture: np.ndarray, named: bool, names: tuple[str, ...]
) -> np.ndarray:
  """Writes names below the columns of a picture, if asked to."""
  if not named:
    return picture
  h, w, _ = picture.shape
  image = Image.new('RGB', (w, h + 24), 'white')
  image.paste(Image.fromarray(picture), (0, 0))
  draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
  for i, name in enumerate(names):
    x = (i + 0.5) * w / len(names)
    draw.text((x, h + 12), name[:12], '#555c68', font, anchor='mm')
  return np.asarray(image)


def _stack(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
  turned = side_by_side(top.swapaxes(0, 1), bottom.swapaxes(0, 1), gap=8)
  return _frame(turned.swapaxes(0, 1))


def _frame(picture: np.ndarray, margin: int = 20) -> np.ndarray:
  pad = ((margin, margin), (margin, margin), (0, 0))
  return np.pad(picture, pad, constant_values=255)
