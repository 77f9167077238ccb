"""Corruptions: worse with severity, repeatable, and what their names say."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.evaluation.metrics import corruptions, measured
from dd_jax.evaluation.metrics.changed import Chunk

SIDE = 32
KEY = jax.random.key(0)


@pytest.fixture(scope='module')
def pixel():
  """Two rough images with an edge, none of whose values is an end."""
  rng = np.random.default_rng(0)
  wave = np.sin(np.linspace(0, 9, SIDE))
  base = 0.5 + 0.15 * np.multiply.outer(wave, wave)
  image = base[None, :, :, None] + 0.1 * rng.uniform(size=(2, 1, 1, 3))
  image[:, :, SIDE // 2 :] += 0.1
  image += 0.05 * rng.uniform(size=image.shape)
  return jnp.asarray(image, jnp.float32)


@functools.cache
def compiled(kind):
  return jax.jit(functools.partial(corruptions.change(kind), None))


def corrupt(kind, pixel, severity):
  chunk = Chunk(KEY, pixel, None, jnp.float32(severity))
  return np.asarray(compiled(kind)(chunk))


@pytest.mark.parametrize('kind', corruptions.KINDS)
def test_it_grows_with_severity_and_depends_on_its_key_alone(kind, pixel):
  """Two hardly do: 8 pixels of motion after 6 of the same width, and a side of
  24 after 27, of which every third meets an edge of the 32.
  """
  made = [corrupt(kind, pixel, s) for s in corruptions.SEVERITIES]
  far = [np.mean((m - pixel) ** 2) for m in made]
  least = {'motion_blur': 0.9, 'pixelate': 0.5}.get(kind, 1.0)
  assert all(b > least * a for a, b in itertools.pairwise(far)), far
  assert 0 < far[0] < far[-1]
  assert all(m.min() >= 0 and m.max() <= 1 for m in made)
  np.testing.assert_array_equal(corrupt(kind, pixel, 5), made[-1])


def test_noises_have_their_moments():
  grey = jnp.full((40, SIDE, SIDE, 1), 0.5)
  for severity, sigma, white, share in (
    (1, 0.04, 500, 0.01),
    (5, 0.1, 50, 0.07),
  ):
    normal = corrupt('gaussian_noise', grey, severity)
    assert normal.std() == pytest.approx(sigma, rel=0.03)
    shot = corrupt('shot_noise', grey, severity)
    assert shot.var() == pytest.approx(0.5 / white, rel=0.05)
    assert shot.mean() == pytest.approx(0.5, rel=0.01)
    worn = corrupt('impulse_noise', grey, severity)
    assert np.mean(worn != 0.5) == pytest.approx(share, rel=0.1)
    assert np.mean(worn == 1) == pytest.approx(share / 2, rel=0.15)


@pytest.mark.parametrize('severity, sigma', [(1, 0.4), (5, 1.0)])
def test_a_blurred_point_is_a_gaussian(severity, sigma):
  point = jnp.zeros((1, SIDE, SIDE, 1)).at[0, 16, 16].set(1)
  found = corrupt('gaussian_blur', point, severity)[0, ..., 0]
  row = np.exp(-((np.arange(SIDE) - 16.0) ** 2) / (2 * sigma**2))
  row /= row.sum()
  np.testing.assert_allclose(found, np.outer(row, row), atol=1e-6)


def test_motion_goes_along_a_line_and_keeps_the_light():
  point = jnp.zeros((3, SIDE, SIDE, 1)).at[:, 16, 24].set(1)
  found = corrupt('motion_blur', point, 5)[..., 0]
  np.testing.assert_allclose(found.sum((1, 2)), 1, atol=0.05)
  for image in found:
    row, column = np.nonzero(image > 1e-4)
    assert column.max() <= 25  # one way alone
    slope = np.polyfit(column, row, 1, w=image[row, column])[0]
    assert abs(slope) <= 1.05
    off = row - np.polyval(np.polyfit(column, row, 1), column)
    assert np.abs(off).max() < 1.6
  assert len({image.tobytes() for image in found}) == 3  # a line for each


def test_a_flat_image_is_blurred_to_itself():
  flat = jnp.full((1, 20, SIDE, 3), 0.3)
  for kind in ('gaussian_blur', 'motion_blur', 'pixelate', 'contrast'):
    np.testing.assert_allclose(corrupt(kind, flat, 5), flat, atol=1e-5)


def test_tones(pixel):
  mean = np.asarray(pixel).mean((1, 2), keepdims=True)
  expected = mean + 0.15 * (pixel - mean)
  np.testing.assert_allclose(corrupt('contrast', pixel, 5), expected, atol=1e-6)
  lighter = corrupt('brightness', pixel, 1)
  value = np.asarray(pixel).max(-1)
  np.testing.assert_allclose(lighter.max(-1), value + 0.05, atol=1e-6)
  share = np.asarray(pixel) / value[..., None]  # hue and saturation stay
  np.testing.assert_allclose(
    lighter / lighter.max(-1, keepdims=True), share, atol=1e-6
  )
  black = corrupt('brightness', jnp.zeros((1, 2, 2, 3)), 5)
  np.testing.assert_allclose(black, 0.3, atol=1e-7)


@pytest.mark.parametrize('old, new', [(32, 20), (7, 3), (4, 2), (3, 7)])
def test_areas_are_shared_out(old, new):
  """Against means over a grid that both sides divide."""
  fine = np.repeat(np.eye(old), new, 0)  # [old * new, old]
  expected = fine.reshape(new, old, old).mean(1)
  np.testing.assert_allclose(corruptions.areas(old, new), expected, atol=1e-12)


def test_the_suite_is_the_mean_of_its_kinds(case, monkeypatch):
  kinds = {k: corruptions.KINDS[k] for k in ('contrast', 'shot_noise')}
  monkeypatch.setattr(corruptions, 'KINDS', kinds)
  found = measured(['corruptions', 'shot_noise'], case)
  assert set(found) == {*corruptions.KINDS, 'corruptions'}
  kinds = [found[kind] for kind in corruptions.KINDS]
  np.testing.assert_allclose(
    found['corruptions'].values,
    np.mean([kind.values for kind in kinds], 0),
    atol=1e-3,
  )
  assert all(len(kind.levels) == 5 for kind in kinds)
  for kind in kinds:
    assert kind.mean == pytest.approx(np.mean(kind.levels), abs=1e-3)
