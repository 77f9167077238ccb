"""Functions of one image `[h, w, c]`: explicit parameters, nothing random."""

from collections.abc import Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

Scalar: TypeAlias = float | jax.Array


def adjust_color(
  image: jax.Array,
  brightness: Scalar = 0.0,
  saturation: Scalar = 1.0,
  contrast: Scalar = 1.0,
) -> jax.Array:
  """Brightness, then saturation, then contrast.

  Args:
    image: `[h, w, c]`.
    brightness: added to every value.
    saturation: factor about each pixel's mean over channels (so a greyscale
      image is unchanged).
    contrast: factor about the image's mean.

  Returns:
    `[h, w, c]`.
  """
  dtype = image.dtype
  image = image + jnp.asarray(brightness, dtype)
  image = _about(image, image.mean(-1, keepdims=True), saturation)
  return _about(image, image.mean(), contrast).astype(dtype)


def shift(image: jax.Array, dy: Scalar, dx: Scalar, limit: int) -> jax.Array:
  """Integer shift with zero fill: `out[i, j] = image[i + dy, j + dx]`.

  Args:
    image: `[h, w, c]`.
    dy: rows, an integer with `|dy| <= limit`.
    dx: columns, likewise.
    limit: the static bound that sizes the border.

  Returns:
    `[h, w, c]`.
  """
  padded = jnp.pad(image, ((limit, limit), (limit, limit), (0, 0)))
  start = [jnp.asarray(limit + n, jnp.int32) for n in (dy, dx, -limit)]
  return lax.dynamic_slice(padded, start, image.shape)


def erase(
  image: jax.Array, top: Scalar, left: Scalar, size: tuple[int, int]
) -> jax.Array:
  """Sets a rectangle to zero; the part outside of the image is ignored.

  Args:
    image: `[h, w, c]`.
    top: first row, may be negative.
    left: first column, may be negative.
    size: (rows, columns).

  Returns:
    `[h, w, c]`.
  """
  rows = jnp.arange(image.shape[0])[:, None] - top
  columns = jnp.arange(image.shape[1])[None, :] - left
  inside = (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1])
  return jnp.where(inside[..., None], jnp.zeros((), image.dtype), image)


def mirror(image: jax.Array, apply: bool | jax.Array = True) -> jax.Array:
  """Reverses the columns of `[h, w, c]` where `apply` holds."""
  return jnp.where(apply, image[:, ::-1], image)


def rotation(
  angle: Scalar, shape: Sequence[int], align_corners: bool = False
) -> jax.Array:
  """The matrix, in pixels, of a rotation in normalised coordinates.

  `torch.nn.functional.affine_grid` measures both axes in [-1, 1], so that a
  rotation of a non-square image shears it by the aspect ratio:
  `width / height`, or `(width - 1) / (height - 1)` with `align_corners`. For
  square images `align_corners` changes nothing.

  Args:
    angle: radians.
    shape: (height, width, ...), each at least 2.
    align_corners: whether -1 and 1 are the centres of the corner pixels
      (MTT, TESLA) instead of their outer edges (DC, DSA, DM, IDC).

  Returns:
    `[2, 2]`, maps output (row, column) offsets to source offsets.
  """
  inset = 1 if align_corners else 0
  aspect = (shape[1] - inset) / (shape[0] - inset)
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  return jnp.stack(
    [
      jnp.stack([cos, sin / aspect]),
      jnp.stack([-sin * aspect, cos]),
    ]
  )


def warp(
  image: jax.Array,
  matrix: jax.Array,
  offset: jax.Array | None = None,
  *,
  edge: bool = False,
) -> jax.Array:
  """Bilinear affine resampling about the image's centre.

  Output pixel p shows the source at `matrix @ (p - centre) + offset + centre`.

  Args:
    image: `[h, w, c]`.
    matrix: `[2, 2]`, on (row, column) in pixels.
    offset: `[2]` in pixels, or None for zero.
    edge: outside of the image, repeat its border instead of zeros.

  Returns:
    `[h, w, c]`.
  """
  height, width, _ = image.shape
  dtype = jnp.promote_types(image.dtype, jnp.float32)
  centre = jnp.array([(height - 1) / 2, (width - 1) / 2], dtype)
  y = (jnp.arange(height) - centre[0])[:, None]
  x = (jnp.arange(width) - centre[1])[None, :]
  matrix = matrix.astype(dtype)
  start = centre if offset is None else centre + offset
  rows = matrix[0, 0] * y + matrix[0, 1] * x + start[0]
  columns = matrix[1, 0] * y + matrix[1, 1] * x + start[1]
  if edge:
    rows = jnp.clip(rows, 0, height - 1)
    columns = jnp.clip(columns, 0, width - 1)
  return bilinear(image, rows, columns)


def rotate(
  image: jax.Array, angle: Scalar, *, align_corners: bool = False
) -> jax.Array:
  """Rotates `[h, w, c]` by `angle` radians, bilinear, zero fill."""
  return warp(image, rotation(angle, image.shape, align_corners))


def scale(image: jax.Array, sy: Scalar, sx: Scalar) -> jax.Array:
  """Scales `[h, w, c]` about its centre, bilinear, zero fill.

  Factors above 1 shrink the content (they scale the sampling grid).
  `align_corners` would change nothing here: both conventions agree on pure
  scalings.
  """
  return warp(image, jnp.diag(jnp.stack([jnp.asarray(sy), jnp.asarray(sx)])))


def bilinear(
  image: jax.Array,
  rows: jax.Array,
  columns: jax.Array,
  fill: Scalar = 0.0,
) -> jax.Array:
  """Reads an image at fractional places.

  Args:
    image: `[h, w, c]`.
    rows: `[h, w]`, in pixels from the first.
    columns: likewise.
    fill: of places outside of the image, a value or one for each channel.

  Returns:
    `[h, w, c]`.
  """
  height, width, channels = image.shape
  flat = image.reshape(height * width, channels)
  top, left = jnp.floor(rows), jnp.floor(columns)
  out, covered = jnp.zeros((), image.dtype), jnp.zeros((), image.dtype)
  for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
    y, x = top + row, left + column
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    near = (1 - jnp.abs(rows - y)) * (1 - jnp.abs(columns - x))
    weight = jnp.where(inside, near, 0)[..., None].astype(image.dtype)
    index = jnp.where(inside, y * width + x, 0).astype(jnp.int32)
    # Every index is in range by construction: no bounds check is needed.
    out = out + weight * flat.at[index].get(mode='promise_in_bounds')
    covered = covered + weight
  return (out + (1 - covered) * fill).astype(image.dtype)


def _about(image: jax.Array, mean: jax.Array, factor: Scalar) -> jax.Array:
  return (image - mean) * jnp.asarray(factor, image.dtype) + mean
