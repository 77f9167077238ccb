"""Random image transforms in model space, as pure functions of a key.

An `Augment` maps `(key, images [n, h, w, c])` to images of the same shape and
dtype. The same key gives the same transform, so siamese augmentation (real and
synthetic images transformed alike) is two calls with one key:

    augment = dsa('color_crop_cutout_flip_scale_rotate')
    real, synthetic = augment(key, real), augment(key, synthetic)

Three layers, each usable alone: image functions (`shift`, `rotate`, ...) take
explicit parameters; operations (`random_shift`, ...) draw them, `(key, image)
-> image`; strategies (`dsa`, `frepo`, `dc_mnist`) choose among operations. All
are differentiable in the image. Parameters are drawn in float32 whatever the
image's dtype, so float32 and float64 runs see the same transforms.
"""

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import chex
import jax
import jax.numpy as jnp
from jax import lax

from dd_jax.types import Augment, Key, LabeledData, UserError

Operation: TypeAlias = Callable[[Key, jax.Array], jax.Array]
"""`(key, image [h, w, c]) -> image`."""
Scalar: TypeAlias = float | jax.Array

DSA = 'color_crop_cutout_flip_scale_rotate'
IDC = 'color_crop_cutout'
FREPO = 'flip_color_crop_rotate_translate_cutout'


# Image functions: one image [h, w, c], explicit parameters, no randomness.


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
  return _bilinear(image, rows, columns)


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


def _about(image: jax.Array, mean: jax.Array, factor: Scalar) -> jax.Array:
  return (image - mean) * jnp.asarray(factor, image.dtype) + mean


def _bilinear(
  image: jax.Array,
  rows: jax.Array,
  columns: jax.Array,
  fill: Scalar = 0.0,
) -> jax.Array:
  """Reads `image` at fractional (rows, columns), `fill` outside of it."""
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


# Operations: (key, image) -> image, their settings closed over.


def random_color(
  brightness: float = 0.5,
  saturation: tuple[float, float] = (0.0, 2.0),
  contrast: tuple[float, float] = (0.5, 1.5),
) -> Operation:
  """Brightness within ±`brightness`; uniform saturation and contrast."""

  def operation(key: Key, image: jax.Array) -> jax.Array:
    draw = jax.random.uniform(key, (3,), jnp.float32)
    return adjust_color(
      image,
      _between(draw[0], (-brightness, brightness)),
      _between(draw[1], saturation),
      _between(draw[2], contrast),
    )

  return operation


def random_color_log(strength: float = 0.25) -> Operation:
  """Colour as FRePo has it.

  Brightness is uniform within ±`strength`; contrast, then saturation, are
  log-uniform in `[exp(-strength), exp(strength)]`.
  """

  def operation(key: Key, image: jax.Array) -> jax.Array:
    draw = strength * _symmetric(key, (3,))
    image = adjust_color(image, draw[0], contrast=jnp.exp(draw[1]))
    return adjust_color(image, saturation=jnp.exp(draw[2]))

  return operation


def random_shift(ratio: float = 0.125) -> Operation:
  """Integer shift, each axis uniform within ±`int(size * ratio + 0.5)`."""

  def operation(key: Key, image: jax.Array) -> jax.Array:
    limits = [_part(size, ratio) for size in image.shape[:2]]
    dy, dx = _integers(key, [-limit for limit in limits], limits)
    return shift(image, dy, dx, max(limits))

  return operation


def random_cutout(ratio: float = 0.5) -> Operation:
  """A zero rectangle, centred anywhere in the image, clipped at its border.

  Its sides are `int(size * ratio + 0.5)`.
  """

  def operation(key: Key, image: jax.Array) -> jax.Array:
    sides = [_part(size, ratio) for size in image.shape[:2]]
    # The centre lies between two pixels where a side is even: one place more.
    last = [n - s % 2 for n, s in zip(image.shape, sides, strict=False)]
    y, x = _integers(key, [0, 0], last)
    corner = y - sides[0] // 2, x - sides[1] // 2
    return erase(image, *corner, (sides[0], sides[1]))

  return operation


def random_cutout_inside(ratio: float = 0.25) -> Operation:
  """A zero rectangle of sides `int(size * ratio)`, wholly in the image."""

  def operation(key: Key, image: jax.Array) -> jax.Array:
    height, width, _ = image.shape
    size = int(height * ratio), int(width * ratio)
    top, left = _integers(key, [0, 0], [height - size[0], width - size[1]])
    return erase(image, top, left, size)

  return operation


def random_mirror(probability: float = 0.5) -> Operation:
  """A horizontal flip with this probability."""

  def operation(key: Key, image: jax.Array) -> jax.Array:
    return mirror(image, jax.random.bernoulli(key, jnp.float32(probability)))

  return operation


def random_scale(ratio: float = 1.2) -> Operation:
  """Both axes scaled independently, uniform in `[1 / ratio, ratio]`."""

  def operation(key: Key, image: jax.Array) -> jax.Array:
    draw = jax.random.uniform(key, (2,), jnp.float32)
    factors = _between(draw, (1 / ratio, ratio))
    return scale(image, factors[0], factors[1])

  return operation


def random_rotate(
  degrees: float = 15.0, *, align_corners: bool = False, edge: bool = False
) -> Operation:
  """A rotation, uniform within ±`degrees`; `rotation`, `warp` explain more."""

  def operation(key: Key, image: jax.Array) -> jax.Array:
    angle = math.radians(degrees) * _symmetric(key)
    return warp(image, rotation(angle, image.shape, align_corners), edge=edge)

  return operation


def random_translate(ratio: float = 0.125) -> Operation:
  """A bilinear translation within ±`ratio * size`, border repeated."""

  def operation(key: Key, image: jax.Array) -> jax.Array:
    limit = jnp.array(image.shape[:2], jnp.float32) * ratio
    return warp(image, jnp.eye(2), limit * _symmetric(key, (2,)), edge=True)

  return operation


def random_zoom(ratio: float = 1.25) -> Operation:
  """A crop at a zoom log-uniform in `[1 / ratio, ratio]`, border repeated.

  Zoomed in, the crop lies anywhere in the image; zoomed out, the image lies
  anywhere in the crop.
  """

  def operation(key: Key, image: jax.Array) -> jax.Array:
    zoom_key, place_key = jax.random.split(key)
    zoom = jnp.exp(math.log(ratio) * _symmetric(zoom_key))
    size = jnp.array(image.shape[:2], jnp.float32)
    limit = jnp.abs(zoom - 1) * size / 2
    place = limit * _symmetric(place_key, (2,))
    return warp(image, jnp.eye(2) / zoom, place / zoom, edge=True)

  return operation


def _part(size: int, ratio: float) -> int:
  return int(size * ratio + 0.5)


def _between(unit: jax.Array, limits: tuple[float, float]) -> jax.Array:
  return unit * (limits[1] - limits[0]) + limits[0]


def _symmetric(key: Key, shape: tuple[int, ...] = ()) -> jax.Array:
  """Uniform in [-1, 1), always float32."""
  return jax.random.uniform(key, shape, jnp.float32, -1.0, 1.0)


def _integers(key: Key, low: Sequence[int], high: Sequence[int]) -> jax.Array:
  """Uniform integers, both bounds included, always int32."""
  return jax.random.randint(
    key,
    (len(low),),
    jnp.array(low, jnp.int32),
    jnp.array(high, jnp.int32) + 1,
    jnp.int32,
  )


# Strategies: (key, images) -> images.


def identity(key: Key, images: jax.Array) -> jax.Array:
  """Changes nothing."""
  del key
  return images


def flip(key: Key, images: jax.Array) -> jax.Array:
  """Flips each of `[n, h, w, c]` horizontally with probability one half."""
  return each(random_mirror())(key, images)


def each(operation: Operation, *, siamese: bool = False) -> Augment:
  """Applies one operation to every image of a batch.

  Args:
    operation: `(key, image [h, w, c]) -> image`.
    siamese: one draw of its parameters for the whole batch, instead of an
      independent one per image.

  Returns:
    An augmentation of `[n, h, w, c]`.
  """

  def augment(key: Key, images: jax.Array) -> jax.Array:
    chex.assert_rank(images, 4)
    if siamese:
      return jax.vmap(operation, (None, 0))(key, images)
    return jax.vmap(operation)(jax.random.split(key, len(images)), images)

  return augment


def one_of(augments: Sequence[Augment]) -> Augment:
  """Applies one of these to the whole batch, drawn uniformly per call.

  Only the one that was drawn is computed, unless the key itself is batched by
  `vmap` (loop with `lax.map` over keys there).
  """

  def augment(key: Key, images: jax.Array) -> jax.Array:
    choice_key, key = jax.random.split(key)
    choice = jax.random.randint(choice_key, (), 0, len(augments), jnp.int32)
    return lax.switch(choice, augments, key, images)

  return augment


def in_turn(augments: Sequence[Augment]) -> Augment:
  """Applies all of these, one after the other."""

  def augment(key: Key, images: jax.Array) -> jax.Array:
    keys = jax.random.split(key, len(augments))
    for each_key, one in zip(keys, augments, strict=True):
      images = one(each_key, images)
    return images

  return augment


def per_image(augment: Augment) -> Augment:
  """Draws everything afresh for every image, the choice of operation too.

  Every operation is then computed for every image.
  """
  return each(lambda key, image: augment(key, image[None])[0])


def dsa(
  strategy: str = DSA, *, siamese: bool = True, align_corners: bool = False
) -> Augment:
  """Differentiable siamese augmentation (Zhao & Bilen, arXiv 2102.08259).

  One operation, drawn uniformly per call, for the whole batch.

  Args:
    strategy: names joined by `_`, of color, crop, cutout, flip, scale, rotate;
      or `none`. Digits go without flip.
    siamese: one draw of parameters for the batch; False gives every image its
      own (evaluation, expert training, inner steps of trajectory matching).
    align_corners: see `rotation`; matters for non-square images only.

  Returns:
    The augmentation; values are those of the paper's code, on standardised
    images.

  Raises:
    UserError: an unknown operation.
  """
  if strategy == 'none':
    return identity
  chosen = _parse(strategy, _dsa_operations(align_corners), siamese)
  return one_of(list(chosen.values()))


def composed(strategy: str) -> Augment:
  """Operations one after the other, each with its own draw for every image.

  For real images alone, such as KIP's targets: nothing siamese about it.

  Args:
    strategy: as for `dsa`; its names and `shift`, half as far as `crop`.

  Raises:
    UserError: an unknown operation.
  """
  operations = {**_dsa_operations(False), 'shift': random_shift(1 / 16)}
  return in_turn(list(_parse(strategy, operations, siamese=False).values()))


def idc(
  strategy: str = IDC, *, siamese: bool = True, align_corners: bool = False
) -> Augment:
  """IDC's use of DSA's operations (Kim et al., arXiv 2205.14959).

  Of those named, flip and color are always applied, then one of crop, scale and
  rotate, then cutout always.

  Args:
    strategy: as in `dsa`; IDC matches under the default.
    siamese: as in `dsa`.
    align_corners: as in `dsa`.

  Raises:
    UserError: an unknown operation.
  """
  if strategy == 'none':
    return identity
  chosen = _parse(strategy, _dsa_operations(align_corners), siamese)
  first = [chosen[n] for n in ('flip', 'color') if n in chosen]
  last = [chosen[n] for n in ('cutout',) if n in chosen]
  drawn = [chosen[n] for n in ('crop', 'scale', 'rotate') if n in chosen]
  return in_turn([*first, *([one_of(drawn)] if drawn else []), *last])


def _dsa_operations(align_corners: bool) -> dict[str, Operation]:
  return {
    'color': random_color(),
    'crop': random_shift(),
    'cutout': random_cutout(),
    'flip': random_mirror(),
    'scale': random_scale(),
    'rotate': random_rotate(align_corners=align_corners),
  }


def cutmix(
  key: Key, data: LabeledData, probability: float = 0.5
) -> LabeledData:
  """CutMix of a batch with a permutation of itself (arXiv 1905.04899).

  With this probability one rectangle, its centre uniform in the image and its
  sides `sqrt(1 - u)` of the image's (`u` uniform: a beta of 1), shows the other
  image in every image of the batch; labels mix by the area that it covers.

  Args:
    key: decides all draws.
    data: `[n, h, w, c]`, `[n, k]`.
    probability: of mixing at all.
  """
  k_whether, k_share, k_centre, k_order = jax.random.split(key, 4)
  height, width = data.image.shape[1:3]
  size = jnp.array([height, width], jnp.float32)
  share = jax.random.uniform(k_share, (), jnp.float32)
  centre = jnp.floor(jax.random.uniform(k_centre, (2,), jnp.float32) * size)
  half = jnp.floor(jnp.sqrt(1 - share) * size) // 2
  low = jnp.maximum(centre - half, 0)
  high = jnp.minimum(centre + half, size)
  rows, columns = jnp.arange(height)[:, None], jnp.arange(width)[None]
  inside = (rows >= low[0]) & (rows < high[0])
  inside = inside & (columns >= low[1]) & (columns < high[1])
  inside = inside & jax.random.bernoulli(k_whether, jnp.float32(probability))
  order = jax.random.permutation(k_order, len(data.image))
  area = jnp.mean(inside, dtype=data.label.dtype)
  return LabeledData(
    jnp.where(inside[..., None], data.image[order], data.image),
    (1 - area) * data.label + area * data.label[order],
  )


def frepo(strategy: str = FREPO) -> Augment:
  """FRePo's evaluation augmentation (Zhou et al., arXiv 2206.00719).

  One operation, drawn uniformly per call, for the whole batch, with its own
  parameters per image. Geometric operations repeat the image's border.

  Args:
    strategy: names joined by `_`, of flip, color, crop, rotate, translate,
      cutout; or `none`. Greyscale sets go without flip.

  Returns:
    The augmentation.

  Raises:
    UserError: an unknown operation.
  """
  operations = {
    'flip': random_mirror(),
    'color': random_color_log(),
    'crop': random_zoom(),
    'rotate': random_rotate(edge=True),
    'translate': random_translate(),
    'cutout': random_cutout_inside(),
  }
  if strategy == 'none':
    return identity
  return one_of(list(_parse(strategy, operations, siamese=False).values()))


def _parse(
  strategy: str, operations: Mapping[str, Operation], siamese: bool
) -> dict[str, Augment]:
  """The operations that a strategy joins by `_`, for whole batches, by name."""
  names = strategy.split('_')
  for name in names:
    if name not in operations:
      raise UserError(_unknown(name, strategy, operations))
  return {n: each(operations[n], siamese=siamese) for n in names}


def _unknown(name: str, strategy: str, allowed: Mapping[str, object]) -> str:
  near = difflib.get_close_matches(name, allowed, 1)
  hint = f' (nearest: {near[0]!r})' if near else ''
  return (
    f'augmentation {strategy!r}: unknown operation {name!r}{hint}; allowed, '
    f"joined by '_': {', '.join(allowed)}; or 'none'"
  )


def dc_mnist(
  pad: int = 4, ratio: float = 0.2, degrees: float = 45.0
) -> Augment:
  """The augmentation under which DC trains on distilled MNIST.

  Every image gets one of: a crop of the image padded by `pad` with the batch's
  channel means; a nearest-neighbour scaling of each axis by up to ±`ratio`,
  zero fill; a rotation by a whole number of degrees, filled with the batch's
  mean (bilinear here; cubic spline in the published code). The three are one
  resampling, whose coordinates differ. Source: Zhao et al., arXiv 2006.05929.

  Args:
    pad: pixels.
    ratio: relative change of size.
    degrees: largest angle.

  Returns:
    The augmentation; its draws are independent per image.
  """

  def augment(key: Key, images: jax.Array) -> jax.Array:
    chex.assert_rank(images, 4)
    shape = images.shape[1:]
    grids = (
      lambda k: _dc_crop(k, shape, pad),
      lambda k: _dc_scale(k, shape, ratio),
      lambda k: _dc_rotate(k, shape, degrees),
    )
    means = images.mean((0, 1, 2))
    zero = jnp.zeros_like(means)
    fills = jnp.stack([means, zero, zero + means.mean()])

    def one(key: Key, image: jax.Array) -> jax.Array:
      choice_key, key = jax.random.split(key)
      choice = jax.random.randint(choice_key, (), 0, 3, jnp.int32)
      rows, columns = lax.switch(choice, grids, key)
      return _bilinear(image, rows, columns, fills[choice])

    return each(one)(key, images)

  return augment


def _grid(shape: Sequence[int]) -> tuple[jax.Array, jax.Array]:
  rows, columns = jnp.indices(shape[:2])
  return rows, columns


def _dc_crop(
  key: Key, shape: Sequence[int], pad: int
) -> tuple[jax.Array, jax.Array]:
  # The published code draws 0 .. 2 pad - 1: never the last position.
  dy, dx = _integers(key, [-pad, -pad], [pad - 1, pad - 1])
  rows, columns = _grid(shape)
  return _floats(rows + dy, columns + dx)


def _dc_scale(
  key: Key, shape: Sequence[int], ratio: float
) -> tuple[jax.Array, jax.Array]:
  factors = 1 + ratio * _symmetric(key, (2,))
  sizes = (factors * jnp.array(shape[:2])).astype(jnp.int32)
  rows, columns = _grid(shape)
  canvas = jnp.maximum(sizes.max(), max(shape[:2]))
  return _floats(
    _nearest(rows, shape[0], sizes[0], canvas),
    _nearest(columns, shape[1], sizes[1], canvas),
  )


def _nearest(
  index: jax.Array, size: int, scaled: jax.Array, canvas: jax.Array
) -> jax.Array:
  """Source of each output index: scaled, centred on a canvas, cut back."""
  place = index + (canvas - size) // 2 - (canvas - scaled) // 2
  inside = (place >= 0) & (place < scaled)
  return jnp.where(inside, place * size // scaled, -2)


def _dc_rotate(
  key: Key, shape: Sequence[int], degrees: float
) -> tuple[jax.Array, jax.Array]:
  whole = int(degrees)
  angle = jnp.deg2rad(_integers(key, [-whole], [whole - 1])[0])
  rows, columns = _grid(shape)
  y, x = rows - (shape[0] - 1) / 2, columns - (shape[1] - 1) / 2
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  return _floats(
    cos * y + sin * x + (shape[0] - 1) / 2,
    cos * x - sin * y + (shape[1] - 1) / 2,
  )


def _floats(rows: jax.Array, columns: jax.Array) -> tuple[jax.Array, jax.Array]:
  return rows.astype(jnp.float32), columns.astype(jnp.float32)
