"""Multi-formation against a NumPy reference, pixel by pixel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.data.labels import LabelEncoding
from dd_jax.parameterization import (
  formation,
  frequency,
  multi_formation,
)
from dd_jax.parameterization.multi_formation import mosaic, tiles
from dd_jax.parameterization.starts import real
from dd_jax.types import UserError

CLASSES, SHAPE = 3, (8, 6, 2)


def reference(image, factor):
  """Loops over tiles and pixels, as the papers' code samples bilinearly."""
  n, h, w, c = image.shape
  high, wide = -(-h // factor), -(-w // factor)
  padded = np.zeros((n, high * factor, wide * factor, c))
  padded[:, :h, :w] = image
  out = []
  for one in padded:
    for i in range(factor):
      for j in range(factor):
        tile = one[i * high : (i + 1) * high, j * wide : (j + 1) * wide]
        large = np.zeros((h, w, c))
        for y in range(h):
          for x in range(w):
            large[y, x] = bilinear(
              tile, (y + 0.5) * high / h - 0.5, (x + 0.5) * wide / w - 0.5
            )
        out.append(large)
  return np.stack(out)


def bilinear(tile, y, x):
  """Between the four nearest centres; outside, the border repeats."""
  y = min(max(y, 0), tile.shape[0] - 1)
  x = min(max(x, 0), tile.shape[1] - 1)
  top, left = int(y), int(x)
  bottom, right = (
    min(top + 1, tile.shape[0] - 1),
    min(left + 1, tile.shape[1] - 1),
  )
  dy, dx = y - top, x - left
  upper = (1 - dx) * tile[top, left] + dx * tile[top, right]
  lower = (1 - dx) * tile[bottom, left] + dx * tile[bottom, right]
  return (1 - dy) * upper + dy * lower


@pytest.mark.parametrize('factor', [1, 2, 3])
@pytest.mark.parametrize('shape', [(8, 8, 1), (7, 9, 3), (8, 6, 2)])
def test_decodes_as_the_reference(shape, factor):
  image = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
  np.testing.assert_allclose(
    tiles(jnp.asarray(image), factor),
    reference(image, factor),
    atol=1e-5,
  )


@pytest.mark.parametrize('labels', ['fixed', 'free', 'logits', 'simplex'])
def test_takes_the_numbers_of_plain_images(started, numbers, labels):
  made = multi_formation(2, SHAPE, CLASSES, labels=labels)
  params, constants, data = started(made)
  assert len(data.image) == 4 * 2 * CLASSES
  plain = 2 * CLASSES * (8 * 6 * 2 + (CLASSES if labels != 'fixed' else 0))
  assert numbers((params, constants)) == plain
  label = np.asarray(data.label).reshape(2 * CLASSES, 4, CLASSES)
  np.testing.assert_array_equal(label, label[:, :1].repeat(4, 1))


def test_starts_from_shrunk_images(source):
  key = jax.random.key(0)
  stored = mosaic(real, 2)(key, source, 1)
  images = real(key, source, 4)
  assert stored.shape == (CLASSES, *SHAPE)
  shrunk = jax.image.resize(images, (12, 4, 3, 2), 'bilinear')
  np.testing.assert_allclose(stored[0, :4, 3:], shrunk[1], atol=1e-6)
  np.testing.assert_allclose(stored[2, 4:, :3], shrunk[10], atol=1e-6)


def test_says_once_that_it_pads():
  assert multi_formation(1, SHAPE, CLASSES, factor=2).note == ''
  note = multi_formation(1, SHAPE, CLASSES, factor=3).note
  assert 'factor=3 does not divide 8x6' in note and '9x6' in note


def test_nests(started):
  """Any parameterization can be cut: here, cosine coefficients."""
  base = frequency(
    1, SHAPE, CLASSES, labels='fixed', encoding=LabelEncoding('centred')
  )
  _, _, whole = started(base)
  _, _, cut = started(formation(base, 2))
  np.testing.assert_allclose(cut.image, tiles(whole.image, 2), atol=1e-6)


def test_more_images_than_there_are(started, source):
  """Twenty of each class; fifty-four are wanted."""
  _, _, data = started(multi_formation(6, SHAPE, CLASSES, factor=3))
  image = np.asarray(data.image).reshape(len(data.image), -1)
  assert len(np.unique(image, axis=0)) == len(image)


@pytest.mark.parametrize('factor', [0, 4])
def test_refused(factor):
  with pytest.raises(UserError, match=f'factor={factor}: allowed are 1 to 3'):
    multi_formation(1, SHAPE, CLASSES, factor=factor)
