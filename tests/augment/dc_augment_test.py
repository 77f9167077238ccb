"""DC's augmentation against its crops and scalings, one by one."""

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax import augment


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


def test_dc_crop_is_a_crop_of_the_mean_padded_image(images):
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


def test_dc_operations_are_one_of_three(images):
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
