"""What a transform costs a network: on images where the answer is known."""

import itertools

import jax
import numpy as np
import pytest

from dd_jax.augment import DSA
from dd_jax.data.raw import Arrays
from dd_jax.evaluation import invariance


def lit(sides, count=400):
  """8x8 images with one side lit, which is their class."""
  rng = np.random.default_rng(0)
  label = np.arange(count, dtype=np.int32) % len(sides)
  image = rng.integers(0, 100, (count, 8, 8, 1))
  for i, c in enumerate(label):
    image[i][sides[c]] += 100
  return Arrays(image.astype(np.uint8), label)


TOP, LEFT = np.s_[:3], np.s_[:, :3]
BOTTOM, RIGHT = np.s_[5:], np.s_[:, 5:]


@pytest.mark.parametrize(
  ('sides', 'turns'), [((LEFT, RIGHT), True), ((TOP, BOTTOM), False)]
)
def test_a_mirror_that_turns_a_class_into_another_is_seen(
  sides, turns, monkeypatch
):
  monkeypatch.setattr(invariance, '_STEPS', 40)
  monkeypatch.setattr(invariance, '_WIDTH', 8)
  found = invariance.measure(jax.random.key(0), lit(sides), 2)
  assert found.keys() == set(invariance.MEASURED)
  flip = found['flip']
  assert flip.plain > 95
  assert flip.changed < 5 if turns else flip.changed > 95
  assert flip.lost > 0.9 if turns else flip.lost < 0.1
  others = [found[name].lost for name in ('rotate', 'crop')]
  assert max(others) < 0.15


def test_what_is_measured_is_what_strategies_name():
  assert set(invariance.MEASURED) | {'cutout'} == set(DSA.split('_'))


def test_the_loss_is_mcnemars():
  """Right without, wrong with: b; the other way round: c."""
  rng = np.random.default_rng(0)
  plain, changed = rng.random(500) < 0.8, rng.random(500) < 0.7
  b, c = np.sum(plain & ~changed), np.sum(changed & ~plain)
  error = np.sqrt(b + c - (b - c) ** 2 / 500)
  found = invariance.seen(plain, changed)
  assert found.lost == pytest.approx(
    (b - c + 2 * error) / plain.sum(), abs=1e-3
  )
  assert found.least == pytest.approx(
    (b - c - 2 * error) / plain.sum(), abs=1e-3
  )
  assert found.plain == pytest.approx(100 * plain.mean(), abs=0.06)
  assert found.changed == pytest.approx(100 * changed.mean(), abs=0.06)


@pytest.mark.parametrize('right', [0, 5])
def test_nothing_known_is_no_permission(right):
  """Where a network learned nothing, or few were asked, the bound is far."""
  plain = np.arange(5) < right
  changed = np.arange(5) < right // 2
  found = invariance.seen(plain, changed)
  assert np.isfinite(found.lost)
  assert found.lost > 0.5 if right else found.lost == 0


@pytest.mark.parametrize(
  ('size', 'block'),
  [((8, 8), 1), ((28, 28), 2), ((96, 96), 6), ((40, 200), 5), ((17, 33), 2)],
)
def test_pooled_by_hand(size, block):
  h, w = size
  image = np.random.default_rng(0).integers(0, 256, (2, h, w, 3), np.uint8)
  found = invariance.pooled(image)
  assert found.shape == (2, h // block, w // block, 3)
  top, left = h % block // 2, w % block // 2
  for i, j in itertools.product(range(h // block), range(w // block)):
    rows, columns = top + block * i, left + block * j
    cut = image[:, rows : rows + block, columns : columns + block] / 255
    np.testing.assert_allclose(found[:, i, j], cut.mean((1, 2)), atol=1e-6)
