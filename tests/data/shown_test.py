"""The range of pixels in units of the data, and what a picture clips of it."""

import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.data import fitting
from dd_jax.data.shown import sentence, shown

REAL = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3), np.uint8)


@pytest.mark.parametrize('name', ['none', 'standardise', 'kornia'])
def test_what_is_clipped_is_what_the_picture_loses(name):
  p = fitting.fit(name, REAL)
  image = 1.5 * p.apply(jnp.asarray(REAL))
  pixel = np.asarray(p.invert(image), np.float64)
  found = shown(p, pixel)
  assert (found.low, found.high) == pytest.approx(
    (pixel.min(), pixel.max()), abs=1e-4
  )
  lost = np.abs(pixel - np.asarray(p.display(image)) / 255.0)
  # Beyond the rounding to 255 levels.
  share = np.mean(lost > 0.5 / 255 + 1e-6)
  assert found.clipped == pytest.approx(share, abs=2e-3) and share > 0.05
  assert not found.rescaled


def test_real_images_are_inside():
  p = fitting.fit('standardise', REAL)
  found = shown(p, p.invert(p.apply(jnp.asarray(REAL))))
  assert found.clipped == 0 and 0 <= found.low < found.high <= 1


def test_pictures_that_are_rescaled_clip_nothing():
  p = fitting.fit('kip', REAL)
  found = shown(p, 9 * p.invert(p.apply(jnp.asarray(REAL))))
  assert found.rescaled and found.clipped == 0 and found.high > 1
  assert 'rescale every image' in sentence(found._asdict())


@pytest.mark.parametrize(
  ('part', 'clipped', 'words'),
  [
    ({'name': 'pixels', 'range': 'data'}, 0.0, 'and were kept there'),
    ({'name': 'pixels'}, 0.3, 'and may leave it (parameterization.range=free)'),
    ({'name': 'pixels'}, 0.0, 'to 1; pictures'),
    ({'name': 'memory'}, 0.3, 'to 1; pictures'),
  ],
)
def test_why_pixels_are_where_they_are(part, clipped, words):
  held = {'low': -0.001, 'high': 1, 'clipped': clipped, 'rescaled': False}
  said = sentence(held, {'parameterization': part})
  assert words in said and 'lie from 0.00 to 1.00' in said
