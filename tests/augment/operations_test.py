"""Operations: what they draw, by draws, and their gradients by differences."""

import collections
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax import augment


def draws(operation: augment.Operation, image: jax.Array, n: int) -> np.ndarray:
  keys = jax.random.split(jax.random.key(1), n)
  return np.asarray(jax.jit(jax.vmap(operation, (0, None)))(keys, image))


def test_crop_shifts_uniformly_within_its_range(ramp, chi_square):
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


def test_scale_factors_span_their_range(ramp):
  image = ramp(33, 33) - 17  # coordinates about the centre
  out = draws(augment.random_scale(), image, 2000)
  factors = out[:, 17, 17]  # one pixel off the centre, in both axes
  assert factors.min() >= 1 / 1.2 - 1e-5 and factors.max() <= 1.2 + 1e-5
  assert factors.min() < 0.84 and factors.max() > 1.19
  assert abs(np.corrcoef(factors.T)[0, 1]) < 0.1
  np.testing.assert_allclose(factors.mean(0), (1.2 + 1 / 1.2) / 2, atol=0.01)


@pytest.mark.parametrize('edge', [False, True])
def test_rotation_angles_span_their_range(edge, ramp):
  image = ramp(33, 33) - 17
  out = draws(augment.random_rotate(edge=edge), image, 2000)[:, 16, 20]
  angles = np.degrees(np.arctan2(out[:, 0], out[:, 1]))
  assert -15.01 <= angles.min() < -14.5 and 14.5 < angles.max() <= 15.01


def test_zoom_is_log_uniform_and_stays_in_place(ramp):
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


def test_translate_spans_its_range(ramp):
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
def test_gradient_equals_finite_differences(x64, name, images):
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
