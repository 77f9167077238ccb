"""Augmentations against slow references, by draws, and by differences."""

import collections
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax import augment
from dd_jax.types import Augment, LabeledData, UserError

STRATEGIES = {
  'dsa': augment.dsa(),
  'idc': augment.idc('flip_color_scale_cutout'),
  'dsa per image': augment.dsa(siamese=False, align_corners=True),
  'frepo': augment.frepo(),
  'dc_mnist': augment.dc_mnist(),
  'flip': augment.flip,
  'identity': augment.identity,
  'composed': augment.composed('flip_shift_cutout'),
  'per_image': augment.per_image(augment.dsa('flip_color')),
}
SHAPES = [(2, 2, 1), (5, 4, 3), (7, 7, 1), (8, 6, 3)]


def images(
  shape: tuple[int, ...], seed: int = 0, dtype: type = np.float32
) -> np.ndarray:
  return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def grid_sample(
  image: np.ndarray, theta: np.ndarray, align_corners: bool
) -> np.ndarray:
  """`affine_grid` then `grid_sample`, pixel by pixel, from their formulas."""
  height, width, _ = image.shape

  def normalise(index: int, size: int) -> float:
    if align_corners:
      return 2 * index / (size - 1) - 1
    return (2 * index + 1) / size - 1

  def pixel(value: float, size: int) -> float:
    if align_corners:
      return (value + 1) / 2 * (size - 1)
    return ((value + 1) * size - 1) / 2

  out = np.zeros_like(image)
  for i in range(height):
    for j in range(width):
      x, y = theta @ [normalise(j, width), normalise(i, height)]
      row, column = pixel(y, height), pixel(x, width)
      for r in range(height):
        for c in range(width):
          near = max(0, 1 - abs(row - r)) * max(0, 1 - abs(column - c))
          out[i, j] += near * image[r, c]
  return out


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('shape', SHAPES)
def test_rotate_equals_the_formula(x64, shape, align_corners):
  image = images(shape, dtype=np.float64)
  angle = 0.23
  cos, sin = math.cos(angle), math.sin(angle)
  want = grid_sample(image, np.array([[cos, -sin], [sin, cos]]), align_corners)
  got = augment.rotate(jnp.asarray(image), angle, align_corners=align_corners)
  np.testing.assert_allclose(got, want, atol=1e-12)


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('shape', SHAPES)
def test_scale_equals_the_formula_under_both_conventions(
  x64, shape, align_corners
):
  image = images(shape, dtype=np.float64)
  want = grid_sample(image, np.diag([0.87, 1.19]), align_corners)
  got = augment.scale(jnp.asarray(image), 1.19, 0.87)
  np.testing.assert_allclose(got, want, atol=1e-12)


def test_align_corners_matters_for_non_square_images_only():
  for shape, same in (((6, 6, 1), True), ((6, 9, 1), False)):
    image = jnp.asarray(images(shape))
    one = augment.rotate(image, 0.2)
    other = augment.rotate(image, 0.2, align_corners=True)
    assert np.allclose(one, other, atol=1e-5) == same


@pytest.mark.parametrize('channels', [1, 3])
def test_color_equals_the_formula(x64, channels):
  image = images((4, 5, channels), dtype=np.float64)
  want = image + 0.3
  mean = want.mean(-1, keepdims=True)
  want = (want - mean) * 1.7 + mean
  want = (want - want.mean()) * 0.6 + want.mean()
  got = augment.adjust_color(jnp.asarray(image), 0.3, 1.7, 0.6)
  np.testing.assert_allclose(got, want, atol=1e-12)


@pytest.mark.parametrize('dy', [-2, 0, 1])
@pytest.mark.parametrize('dx', [-1, 0, 2])
def test_shift_fills_with_zeros(dy, dx):
  image = images((5, 4, 3))
  want = np.zeros_like(image)
  for i in range(5):
    for j in range(4):
      if 0 <= i + dy < 5 and 0 <= j + dx < 4:
        want[i, j] = image[i + dy, j + dx]
  np.testing.assert_array_equal(augment.shift(image, dy, dx, 2), want)


def test_erase_is_clipped_at_the_border():
  image = np.ones((5, 6, 1), np.float32)
  want = image.copy()
  want[:2, 4:] = 0
  np.testing.assert_array_equal(augment.erase(image, -1, 4, (3, 3)), want)


def test_neutral_parameters_change_nothing():
  image = jnp.asarray(images((6, 5, 3)))
  for out in (
    augment.adjust_color(image),
    augment.shift(image, 0, 0, 2),
    augment.mirror(image, False),
    augment.rotate(image, 0.0),
    augment.scale(image, 1.0, 1.0),
    augment.warp(image, jnp.eye(2), edge=True),
    augment.identity(jax.random.key(0), image[None])[0],
  ):
    np.testing.assert_allclose(out, image, atol=1e-6)
  np.testing.assert_array_equal(augment.mirror(image), image[:, ::-1])


def test_warp_repeats_the_border_or_fills_with_zeros():
  image = jnp.full((4, 4, 1), 3.0)
  far = jnp.array([10.0, 0.0])
  assert (augment.warp(image, jnp.eye(2), far, edge=True) == 3).all()
  assert (augment.warp(image, jnp.eye(2), far) == 0).all()


def ramp(height: int, width: int) -> jax.Array:
  """Rows in channel 0, columns in channel 1, from 1: shows where pixels go."""
  rows, columns = np.mgrid[1 : height + 1, 1 : width + 1]
  return jnp.asarray(np.stack([rows, columns], -1), jnp.float32)


def draws(operation: augment.Operation, image: jax.Array, n: int) -> np.ndarray:
  keys = jax.random.split(jax.random.key(1), n)
  return np.asarray(jax.jit(jax.vmap(operation, (0, None)))(keys, image))


def test_crop_shifts_uniformly_within_its_range():
  # Size 32: ±4. The centre pixel tells the shift.
  out = draws(augment.random_shift(), ramp(32, 32), 4000)[:, 16, 16]
  for axis in (0, 1):
    counts = collections.Counter((out[:, axis] - 17).astype(int).tolist())
    assert set(counts) == set(range(-4, 5))
    assert chi_square(list(counts.values())) < 27  # p = 0.0007 at 8 degrees


def test_cutout_covers_its_side_and_stays_near_the_image():
  out = draws(augment.random_cutout(), jnp.ones((32, 32, 1)), 4000)
  area = (out == 0).sum((1, 2, 3))
  assert area.max() == 16 * 16  # int(32 * 0.5 + 0.5)
  assert area.min() == 8 * 8  # centred on a corner
  assert (out == 0).any(0).all()


def test_cutout_of_odd_sides_keeps_its_centre_in_the_image():
  out = draws(augment.random_cutout(), jnp.ones((6, 6, 1)), 500)
  rows = (out == 0).any((2, 3)).sum(1)
  assert set(rows.tolist()) == {2, 3}


def test_cutout_inside_has_one_size():
  out = draws(augment.random_cutout_inside(), jnp.ones((12, 8, 1)), 500)
  assert set((out == 0).sum((1, 2, 3)).tolist()) == {6}
  assert (out == 0).any(0).all()


def test_scale_factors_span_their_range():
  image = ramp(33, 33) - 17  # coordinates about the centre
  out = draws(augment.random_scale(), image, 2000)
  factors = out[:, 17, 17]  # one pixel off the centre, in both axes
  assert factors.min() >= 1 / 1.2 - 1e-5 and factors.max() <= 1.2 + 1e-5
  assert factors.min() < 0.84 and factors.max() > 1.19
  assert abs(np.corrcoef(factors.T)[0, 1]) < 0.1
  np.testing.assert_allclose(factors.mean(0), (1.2 + 1 / 1.2) / 2, atol=0.01)


@pytest.mark.parametrize('edge', [False, True])
def test_rotation_angles_span_their_range(edge):
  image = ramp(33, 33) - 17
  out = draws(augment.random_rotate(edge=edge), image, 2000)[:, 16, 20]
  angles = np.degrees(np.arctan2(out[:, 0], out[:, 1]))
  assert -15.01 <= angles.min() < -14.5 and 14.5 < angles.max() <= 15.01


def test_zoom_is_log_uniform_and_stays_in_place():
  image = ramp(33, 33)
  out = draws(augment.random_zoom(), image, 2000)
  step = out[:, 17, 16, 0] - out[:, 16, 16, 0]
  zoom = -np.log(step)
  limit = math.log(1.25)
  assert np.abs(zoom).max() <= limit + 1e-3
  np.testing.assert_allclose(zoom.mean(), 0, atol=0.01)
  # Zoomed in, the crop lies inside: nothing repeats the border.
  inside = out[zoom > 0.01]
  assert inside.min() >= 1 and inside.max() <= 33
  assert (np.diff(inside[..., 0], axis=1) > 0.5).all()


def test_translate_spans_its_range():
  out = draws(augment.random_translate(), ramp(32, 16), 2000)[:, 16, 8]
  moved = out - [17, 9]
  assert np.all(np.abs(moved) <= [4 + 1e-5, 2 + 1e-5])
  assert np.all(np.abs(moved).max(0) >= [3.9, 1.95])


def test_color_draws_span_their_range():
  image = jnp.asarray([[[0.0, 2.0], [4.0, 6.0]]])
  out = draws(augment.random_color(), image, 3000)
  brightness = out.mean((1, 2, 3)) - 3
  contrast = (out.mean(-1)[:, 0, 1] - out.mean(-1)[:, 0, 0]) / 4
  saturation = (out[:, 0, 0, 1] - out[:, 0, 0, 0]) / 2 / contrast
  for values, low, high in (
    (brightness, -0.5, 0.5),
    (contrast, 0.5, 1.5),
    (saturation, 0.0, 2.0),
  ):
    assert low - 1e-5 <= values.min() < low + 0.05 * (high - low)
    assert high - 0.05 * (high - low) < values.max() <= high + 1e-5


def test_log_color_draws_span_their_range():
  image = jnp.asarray([[[0.0, 2.0], [4.0, 6.0]]])
  out = draws(augment.random_color_log(), image, 3000)
  contrast = (out.mean(-1)[:, 0, 1] - out.mean(-1)[:, 0, 0]) / 4
  assert abs(np.log(contrast)).max() <= 0.25 + 1e-4
  np.testing.assert_allclose(np.log(contrast).mean(), 0, atol=0.01)


def chi_square(counts: list[int]) -> float:
  mean = sum(counts) / len(counts)
  return sum((count - mean) ** 2 for count in counts) / mean


def test_operations_are_drawn_uniformly():
  augments = [lambda key, x, i=i: x + i for i in range(6)]
  choose = jax.jit(jax.vmap(augment.one_of(augments), (0, None)))
  keys = jax.random.split(jax.random.key(0), 3000)
  drawn = np.asarray(choose(keys, jnp.zeros((1, 1, 1, 1)))).ravel()
  counts = np.bincount(drawn.astype(int), minlength=6)
  assert chi_square(counts.tolist()) < 22  # p = 0.0005 at 5 degrees


def test_one_shared_operation_is_a_conditional():
  # A scalar index keeps the branches apart: the others cost nothing.
  step = jax.make_jaxpr(augment.dsa())
  program = str(step(jax.random.key(0), jnp.zeros((3, 8, 8, 1))))
  assert 'cond[' in program


def test_siamese_calls_transform_alike():
  image = images((1, 8, 8, 3))
  few, many = np.repeat(image, 2, 0), np.repeat(image, 5, 0)
  shared = jax.jit(augment.dsa())
  for seed in range(12):
    key = jax.random.key(seed)
    out = np.concatenate([shared(key, few), shared(key, many)])
    np.testing.assert_allclose(out, np.repeat(out[:1], 7, 0), atol=1e-6)


def test_independent_parameters_differ_within_a_batch():
  batch = np.repeat(images((1, 8, 8, 3)), 6, 0)
  apply = jax.jit(augment.dsa('color_scale_rotate', siamese=False))
  out = np.asarray(apply(jax.random.key(0), batch))
  assert len({image.tobytes() for image in out}) == 6


def test_flip_is_drawn_per_image():
  batch = np.repeat(images((1, 4, 4, 1)), 400, 0)
  out = np.asarray(augment.flip(jax.random.key(0), batch))
  flipped = (out == batch[:, :, ::-1]).all((1, 2, 3))
  assert (flipped | (out == batch).all((1, 2, 3))).all()
  assert 150 < flipped.sum() < 250


def test_composed_draws_every_operation_for_every_image():
  images = jnp.tile(ramp(32, 32), (4000, 1, 1, 1))
  out = augment.composed('flip_shift')(jax.random.key(2), images)
  rows = np.asarray(out[:, 16, 16, 0] - 17).astype(int)
  flipped = np.asarray(out[:, 16, 15, 1] > out[:, 16, 16, 1])
  pairs = collections.Counter(zip(rows.tolist(), flipped.tolist(), strict=True))
  assert set(rows.tolist()) == set(range(-2, 3)) and len(pairs) == 10
  assert chi_square(list(pairs.values())) < 29  # p = 0.0007 at 9 degrees


def test_per_image_draws_the_operation_too():
  apply = augment.per_image(augment.dsa('flip_color'))
  batch = np.repeat(images((1, 4, 4, 1)), 64, 0)
  out = np.asarray(apply(jax.random.key(0), batch))
  same = (out == batch).all((1, 2, 3)) | (out == batch[:, :, ::-1]).all(
    (1, 2, 3)
  )
  assert 15 < same.sum() < 50


@pytest.mark.parametrize('name', STRATEGIES)
@pytest.mark.parametrize('shape', SHAPES)
def test_shape_and_dtype_are_kept(name, shape):
  for dtype in (jnp.float32, jnp.bfloat16):
    batch = jnp.asarray(images((3, *shape)), dtype)
    out = jax.eval_shape(STRATEGIES[name], jax.random.key(0), batch)
    assert (out.shape, out.dtype) == (batch.shape, batch.dtype)


@pytest.mark.parametrize('name', ['dsa', 'frepo', 'dc_mnist'])
def test_float64_sees_the_transform_of_float32(x64, name):
  apply = jax.jit(STRATEGIES[name])
  wide = images((3, 7, 6, 3), dtype=np.float64)
  for seed in range(8):
    key = jax.random.key(seed)
    got = apply(key, wide)
    assert got.dtype == jnp.float64
    narrow = apply(key, wide.astype(np.float32))
    np.testing.assert_allclose(narrow, got, atol=1e-4)


OPERATIONS = {
  'color': augment.random_color(),
  'color_log': augment.random_color_log(),
  'shift': augment.random_shift(0.3),
  'cutout': augment.random_cutout(),
  'cutout_inside': augment.random_cutout_inside(0.5),
  'mirror': augment.random_mirror(1.0),
  'scale': augment.random_scale(),
  'rotate': augment.random_rotate(),
  'translate': augment.random_translate(),
  'zoom': augment.random_zoom(),
}


@pytest.mark.parametrize('name', OPERATIONS)
def test_gradient_equals_finite_differences(x64, name):
  image = jnp.asarray(images((4, 5, 3), dtype=np.float64))
  weight = images((4, 5, 3), 1, np.float64)
  towards = images((4, 5, 3), 2, np.float64)

  @jax.jit
  def score(x: jax.Array) -> jax.Array:
    return (jnp.tanh(OPERATIONS[name](jax.random.key(3), x)) * weight).sum()

  got = (jax.jit(jax.grad(score))(image) * towards).sum()
  step = 1e-6
  ahead, behind = score(image + step * towards), score(image - step * towards)
  np.testing.assert_allclose(got, (ahead - behind) / (2 * step), rtol=1e-7)


# DSA's table: what a strategy does to an image, read off another one of its
# batch, must be the operation's formula with a parameter in its range.


def sheared(image: np.ndarray, marker: np.ndarray) -> np.ndarray:
  """Resamples `image` by the map that the transformed ramp `marker` shows."""
  height, width, _ = image.shape
  out = np.zeros_like(image)
  for i in range(height):
    for j in range(width):
      weight = np.maximum(0, 1 - abs(np.arange(height) - marker[i, j, 0]))
      other = np.maximum(0, 1 - abs(np.arange(width) - marker[i, j, 1]))
      out[i, j] = np.einsum('r,c,rck->k', weight, other, image)
  return out


def dsa_on(name: str, batch: np.ndarray, seed: int) -> np.ndarray:
  return np.asarray(augment.dsa(name)(jax.random.key(seed), jnp.asarray(batch)))


def square_batch() -> np.ndarray:
  """A ramp with a third channel, and noise: `[2, 12, 12, 3]`."""
  marker = np.concatenate([np.asarray(ramp(12, 12)), np.ones((12, 12, 1))], -1)
  return np.stack([marker, images((12, 12, 3))]).astype(np.float64)


@pytest.mark.parametrize('seed', range(3))
def test_dsa_crop_is_the_table(x64, seed):
  marker, out = dsa_on('crop', square_batch(), seed)
  row, column = np.argwhere(marker[..., 2] == 1)[0]
  dy, dx = marker[row, column, :2].astype(int) - 1 - [row, column]
  assert max(abs(dy), abs(dx)) <= int(12 * 0.125 + 0.5) == 2
  padded = np.pad(square_batch()[1], ((2, 2), (2, 2), (0, 0)))
  want = padded[2 + dy : 14 + dy, 2 + dx : 14 + dx]
  np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize('seed', range(3))
def test_dsa_cutout_is_the_table(x64, seed):
  marker, out = dsa_on('cutout', square_batch(), seed)
  hole = marker[..., 2] == 0
  rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
  for side in (rows, columns):  # int(12 * 0.5 + 0.5), clipped at the border
    assert 3 <= len(side) <= 6 and np.ptp(side) == len(side) - 1
    assert len(side) == 6 or side[0] == 0 or side[-1] == 11
  assert hole.sum() == len(rows) * len(columns)
  np.testing.assert_array_equal(out, square_batch()[1] * ~hole[..., None])


def test_dsa_flip_is_the_table(x64):
  flipped = 0
  for seed in range(8):
    marker, out = dsa_on('flip', square_batch(), seed)
    mirrored = marker[0, 0, 1] == 12
    want = square_batch()[1][:, ::-1] if mirrored else square_batch()[1]
    np.testing.assert_array_equal(out, want)
    flipped += mirrored
  assert 0 < flipped < 8


@pytest.mark.parametrize('name', ['scale', 'rotate'])
@pytest.mark.parametrize('seed', range(3))
def test_dsa_scale_and_rotate_are_the_table(x64, name, seed):
  batch = square_batch()
  # Far from the border, where zeros come in, the ramp shows the map exactly.
  marker, out = dsa_on(name, batch, seed)
  centre = batch[0, 5:7, 5:7, :2].mean((0, 1))
  along_rows = marker[6, 5, :2] - marker[5, 5, :2]
  along_columns = marker[5, 6, :2] - marker[5, 5, :2]
  matrix = np.stack([along_rows, along_columns], 1)
  if name == 'scale':
    np.testing.assert_allclose(matrix, np.diag(np.diag(matrix)), atol=1e-9)
    assert np.all(np.abs(np.log(np.diag(matrix))) <= np.log(1.2) + 1e-9)
  else:
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(2), atol=1e-6)
    assert abs(np.degrees(np.arcsin(matrix[1, 0]))) <= 15
  grid = np.stack(np.mgrid[1:13, 1:13], -1) - centre
  source = grid @ matrix.T + centre - 1
  np.testing.assert_allclose(out, sheared(batch[1], source), atol=1e-5)


@pytest.mark.parametrize('seed', range(3))
def test_dsa_color_is_the_table(x64, seed):
  """Brightness ±0.5, then saturation 0 to 2, then contrast 0.5 to 1.5."""
  grey = np.full((4, 4, 3), 2.0)
  coloured = grey + np.array([-1.0, 0.0, 1.0])
  stepped = grey + np.repeat([[-1.0], [1.0]], 8, 0).reshape(4, 4, 1)
  batch = np.stack([grey, coloured, stepped, images((4, 4, 3), 5)])
  out = dsa_on('color', batch, seed)
  brightness = out[0, 0, 0, 0] - 2
  contrast = (out[2, -1, 0, 0] - out[2, 0, 0, 0]) / 2
  saturation = (out[1, 0, 0, 2] - out[1, 0, 0, 0]) / 2 / contrast
  assert abs(brightness) <= 0.5 and 0 <= saturation <= 2
  assert 0.5 <= contrast <= 1.5
  want = batch[3] + brightness
  mean = want.mean(-1, keepdims=True)
  want = (want - mean) * saturation + mean
  want = (want - want.mean()) * contrast + want.mean()
  np.testing.assert_allclose(out[3], want, atol=1e-9)


def test_idc_applies_flip_and_colour_always_and_cutout_last():
  batch = jnp.asarray(images((2, 8, 8, 3)))
  key = jax.random.key(0)
  cut = augment.idc('cutout_color')(key, batch)
  # Zeros are not recoloured; centred on a corner they are 2 x 2.
  assert (np.asarray(cut) == 0).all(-1).sum() >= 2 * 2 * 2
  assert not np.allclose(augment.idc('color')(key, batch), batch)
  np.testing.assert_array_equal(augment.idc('none')(key, batch), batch)
  changed = 0
  for seed in range(12):
    out = augment.idc('crop_scale_rotate')(jax.random.key(seed), batch)
    changed += not np.allclose(out, batch)
  assert changed >= 10  # a crop may be by nothing


def test_cutmix_mixes_labels_by_the_area_that_it_covers():
  image = np.broadcast_to(np.arange(6.0)[:, None, None, None], (6, 5, 4, 1))
  data = LabeledData(jnp.asarray(image, jnp.float32), jnp.eye(6))
  mix = jax.jit(augment.cutmix)
  covered = []
  for seed in range(12):
    out = mix(jax.random.key(seed), data)
    np.testing.assert_allclose(out.label.sum(-1), 1, rtol=1e-6)
    share = [(np.asarray(out.image) == i).mean((1, 2, 3)) for i in range(6)]
    np.testing.assert_allclose(out.label, np.stack(share, 1), atol=1e-6)
    inside = np.asarray(out.image[0, ..., 0]) != 0
    rows, columns = inside.any(1).sum(), inside.any(0).sum()
    assert inside.sum() == rows * columns  # one rectangle
    covered.append(inside.mean())
  assert 0 < sum(c > 0 for c in covered) < 12  # with probability one half
  never = augment.cutmix(jax.random.key(0), data, 0.0)
  np.testing.assert_array_equal(never.image, data.image)


def test_strategies_are_differentiable_through_the_choice():
  batch = jnp.asarray(images((2, 6, 6, 3)))
  for apply in (augment.dsa(), augment.frepo(), augment.dc_mnist()):
    slope = jax.jit(jax.grad(lambda x, k, f=apply: (f(k, x) ** 2).sum()))
    for seed in range(4):
      assert jnp.isfinite(slope(batch, jax.random.key(seed))).all()


def dc_reference(images: np.ndarray) -> np.ndarray:
  """Every crop that DC's augmentation may make of the first image."""
  mean = images.mean((0, 1, 2))
  first = images[0]
  padded = np.broadcast_to(mean, np.add(first.shape, (8, 8, 0))).copy()
  padded[4:-4, 4:-4] = first
  height, width, _ = first.shape
  return np.stack(
    [padded[r : r + height, c : c + width] for r in range(8) for c in range(8)]
  )


def test_dc_crop_is_a_crop_of_the_mean_padded_image():
  batch = images((2, 9, 9, 1))
  crops = dc_reference(batch)
  seen = set()
  apply = jax.jit(augment.dc_mnist())
  for seed in range(300):
    out = np.asarray(apply(jax.random.key(seed), batch))[0]
    match = np.flatnonzero(np.abs(crops - out).max((1, 2, 3)) < 1e-6)
    seen.update(match.tolist())
  assert len(seen) > 40


def dc_scaled(image: np.ndarray, height: int, width: int) -> np.ndarray:
  """Nearest-neighbour resize, centred on a zero canvas, cut back."""
  size = image.shape[:2]
  rows = np.arange(height) * size[0] // height
  columns = np.arange(width) * size[1] // width
  side = max(height, width, *size)
  canvas = np.zeros((side, side, image.shape[2]), image.dtype)
  top, left = (side - height) // 2, (side - width) // 2
  scaled = image[rows][:, columns]
  canvas[top : top + height, left : left + width] = scaled
  top, left = (side - size[0]) // 2, (side - size[1]) // 2
  return canvas[top : top + size[0], left : left + size[1]]


def test_dc_operations_are_one_of_three():
  batch = np.repeat(images((1, 10, 10, 1)), 600, 0)
  out = np.asarray(augment.dc_mnist()(jax.random.key(0), batch))
  crops = dc_reference(batch)
  scales = np.stack(
    [dc_scaled(batch[0], h, w) for h in range(8, 12) for w in range(8, 12)]
  )

  def among(found: np.ndarray) -> np.ndarray:
    gap = np.abs(out[:, None] - found[None]).max((2, 3, 4))
    return (gap < 1e-5).any(1)

  crop, scaled = among(crops), among(scales)
  # An unmoved crop, an unscaled image and a rotation by zero look alike.
  counts = [crop.sum(), scaled.sum(), (~crop & ~scaled).sum()]
  assert all(150 < count < 250 for count in counts), counts


def test_dc_rotation_fills_with_the_mean():
  batch = jnp.full((200, 8, 8, 1), 2.5)
  out = np.asarray(augment.dc_mnist()(jax.random.key(0), batch))
  # Crops and rotations leave a constant set constant; scalings bring zeros.
  assert (np.isclose(out, 2.5) | (out == 0)).all()


@pytest.mark.parametrize(
  ('make', 'strategy', 'words'),
  [
    (augment.dsa, 'colour_crop', ("'colour'", "'color'", 'cutout')),
    (augment.dsa, '', ("''", 'color')),
    (augment.frepo, 'flip_scale', ("'scale'", 'translate')),
  ],
)
def test_an_unknown_operation_is_named(make, strategy, words):
  with pytest.raises(UserError) as error:
    make(strategy)
  assert '\n' not in str(error.value)
  for word in words:
    assert word in str(error.value)


def test_none_is_the_identity():
  apply: Augment = augment.dsa('none')
  batch = images((2, 3, 3, 1))
  np.testing.assert_array_equal(apply(jax.random.key(0), batch), batch)
