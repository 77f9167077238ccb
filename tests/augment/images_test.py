"""Image functions against slow references."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax import augment

SHAPES = [(2, 2, 1), (5, 4, 3), (7, 7, 1), (8, 6, 3)]


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
def test_rotate_equals_the_formula(x64, shape, align_corners, images):
  image = images(shape, dtype=np.float64)
  angle = 0.23
  cos, sin = math.cos(angle), math.sin(angle)
  want = grid_sample(image, np.array([[cos, -sin], [sin, cos]]), align_corners)
  got = augment.rotate(jnp.asarray(image), angle, align_corners=align_corners)
  np.testing.assert_allclose(got, want, atol=1e-12)


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('shape', SHAPES)
def test_scale_equals_the_formula_under_both_conventions(
  x64, shape, align_corners, images
):
  image = images(shape, dtype=np.float64)
  want = grid_sample(image, np.diag([0.87, 1.19]), align_corners)
  got = augment.scale(jnp.asarray(image), 1.19, 0.87)
  np.testing.assert_allclose(got, want, atol=1e-12)


def test_align_corners_matters_for_non_square_images_only(images):
  for shape, same in (((6, 6, 1), True), ((6, 9, 1), False)):
    image = jnp.asarray(images(shape))
    one = augment.rotate(image, 0.2)
    other = augment.rotate(image, 0.2, align_corners=True)
    assert np.allclose(one, other, atol=1e-5) == same


@pytest.mark.parametrize('channels', [1, 3])
def test_color_equals_the_formula(x64, channels, images):
  image = images((4, 5, channels), dtype=np.float64)
  want = image + 0.3
  mean = want.mean(-1, keepdims=True)
  want = (want - mean) * 1.7 + mean
  want = (want - want.mean()) * 0.6 + want.mean()
  got = augment.adjust_color(jnp.asarray(image), 0.3, 1.7, 0.6)
  np.testing.assert_allclose(got, want, atol=1e-12)


@pytest.mark.parametrize('dy', [-2, 0, 1])
@pytest.mark.parametrize('dx', [-1, 0, 2])
def test_shift_fills_with_zeros(dy, dx, images):
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


def test_neutral_parameters_change_nothing(images):
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
