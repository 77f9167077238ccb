"""DSA's table of operations.

What a strategy does to an image, read off another one of its batch, must be the
operation's formula with a parameter in its range.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax import augment


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


@pytest.fixture
def square_batch(images, ramp) -> np.ndarray:
  """A ramp with a third channel, and noise: `[2, 12, 12, 3]`."""
  marker = np.concatenate([np.asarray(ramp(12, 12)), np.ones((12, 12, 1))], -1)
  return np.stack([marker, images((12, 12, 3))]).astype(np.float64)


@pytest.mark.parametrize('seed', range(3))
def test_dsa_crop_is_the_table(x64, seed, square_batch):
  marker, out = dsa_on('crop', square_batch, seed)
  row, column = np.argwhere(marker[..., 2] == 1)[0]
  dy, dx = marker[row, column, :2].astype(int) - 1 - [row, column]
  assert max(abs(dy), abs(dx)) <= int(12 * 0.125 + 0.5) == 2
  padded = np.pad(square_batch[1], ((2, 2), (2, 2), (0, 0)))
  want = padded[2 + dy : 14 + dy, 2 + dx : 14 + dx]
  np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize('seed', range(3))
def test_dsa_cutout_is_the_table(x64, seed, square_batch):
  marker, out = dsa_on('cutout', square_batch, seed)
  hole = marker[..., 2] == 0
  rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
  for side in (rows, columns):  # int(12 * 0.5 + 0.5), clipped at the border
    assert 3 <= len(side) <= 6 and np.ptp(side) == len(side) - 1
    assert len(side) == 6 or side[0] == 0 or side[-1] == 11
  assert hole.sum() == len(rows) * len(columns)
  np.testing.assert_array_equal(out, square_batch[1] * ~hole[..., None])


def test_dsa_flip_is_the_table(x64, square_batch):
  flipped = 0
  for seed in range(8):
    marker, out = dsa_on('flip', square_batch, seed)
    mirrored = marker[0, 0, 1] == 12
    want = square_batch[1][:, ::-1] if mirrored else square_batch[1]
    np.testing.assert_array_equal(out, want)
    flipped += mirrored
  assert 0 < flipped < 8


@pytest.mark.parametrize('name', ['scale', 'rotate'])
@pytest.mark.parametrize('seed', range(3))
def test_dsa_scale_and_rotate_are_the_table(x64, name, seed, square_batch):
  # Far from the border, where zeros come in, the ramp shows the map exactly.
  marker, out = dsa_on(name, square_batch, seed)
  centre = square_batch[0, 5:7, 5:7, :2].mean((0, 1))
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
  np.testing.assert_allclose(out, sheared(square_batch[1], source), atol=1e-5)


@pytest.mark.parametrize('seed', range(3))
def test_dsa_color_is_the_table(x64, seed, images):
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
