"""Strategies: which operations a batch sees, alike or each its own."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax import augment
from dd_jax.types import Augment, UserError

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


def test_operations_are_drawn_uniformly(chi_square):
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


def test_siamese_calls_transform_alike(images):
  image = images((1, 8, 8, 3))
  few, many = np.repeat(image, 2, 0), np.repeat(image, 5, 0)
  shared = jax.jit(augment.dsa())
  for seed in range(12):
    key = jax.random.key(seed)
    out = np.concatenate([shared(key, few), shared(key, many)])
    np.testing.assert_allclose(out, np.repeat(out[:1], 7, 0), atol=1e-6)


def test_independent_parameters_differ_within_a_batch(images):
  batch = np.repeat(images((1, 8, 8, 3)), 6, 0)
  apply = jax.jit(augment.dsa('color_scale_rotate', siamese=False))
  out = np.asarray(apply(jax.random.key(0), batch))
  assert len({image.tobytes() for image in out}) == 6


def test_flip_is_drawn_per_image(images):
  batch = np.repeat(images((1, 4, 4, 1)), 400, 0)
  out = np.asarray(augment.flip(jax.random.key(0), batch))
  flipped = (out == batch[:, :, ::-1]).all((1, 2, 3))
  assert (flipped | (out == batch).all((1, 2, 3))).all()
  assert 150 < flipped.sum() < 250


def test_composed_draws_every_operation_for_every_image(ramp, chi_square):
  batch = jnp.tile(ramp(32, 32), (4000, 1, 1, 1))
  out = augment.composed('flip_shift')(jax.random.key(2), batch)
  rows = np.asarray(out[:, 16, 16, 0] - 17).astype(int)
  flipped = np.asarray(out[:, 16, 15, 1] > out[:, 16, 16, 1])
  pairs = collections.Counter(zip(rows.tolist(), flipped.tolist(), strict=True))
  assert set(rows.tolist()) == set(range(-2, 3)) and len(pairs) == 10
  assert chi_square(list(pairs.values())) < 29  # p = 0.0007 at 9 degrees


def test_per_image_draws_the_operation_too(images):
  apply = augment.per_image(augment.dsa('flip_color'))
  batch = np.repeat(images((1, 4, 4, 1)), 64, 0)
  out = np.asarray(apply(jax.random.key(0), batch))
  same = (out == batch).all((1, 2, 3)) | (out == batch[:, :, ::-1]).all(
    (1, 2, 3)
  )
  assert 15 < same.sum() < 50


@pytest.mark.parametrize('name', STRATEGIES)
@pytest.mark.parametrize('shape', SHAPES)
def test_shape_and_dtype_are_kept(name, shape, images):
  for dtype in (jnp.float32, jnp.bfloat16):
    batch = jnp.asarray(images((3, *shape)), dtype)
    out = jax.eval_shape(STRATEGIES[name], jax.random.key(0), batch)
    assert (out.shape, out.dtype) == (batch.shape, batch.dtype)


@pytest.mark.parametrize('name', ['dsa', 'frepo', 'dc_mnist'])
def test_float64_sees_the_transform_of_float32(x64, name, images):
  apply = jax.jit(STRATEGIES[name])
  wide = images((3, 7, 6, 3), dtype=np.float64)
  for seed in range(8):
    key = jax.random.key(seed)
    got = apply(key, wide)
    assert got.dtype == jnp.float64
    narrow = apply(key, wide.astype(np.float32))
    np.testing.assert_allclose(narrow, got, atol=1e-4)


def test_idc_applies_flip_and_colour_always_and_cutout_last(images):
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


def test_strategies_are_differentiable_through_the_choice(images):
  batch = jnp.asarray(images((2, 6, 6, 3)))
  for apply in (augment.dsa(), augment.frepo(), augment.dc_mnist()):
    slope = jax.jit(jax.grad(lambda x, k, f=apply: (f(k, x) ** 2).sum()))
    for seed in range(4):
      assert jnp.isfinite(slope(batch, jax.random.key(seed))).all()


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


def test_none_is_the_identity(images):
  apply: Augment = augment.dsa('none')
  batch = images((2, 3, 3, 1))
  np.testing.assert_array_equal(apply(jax.random.key(0), batch), batch)
