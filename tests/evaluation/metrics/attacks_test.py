"""Attacks: within the budget, uphill, and the longer one the stronger."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.evaluation.metrics import attacks, measured
from dd_jax.evaluation.metrics.changed import Chunk

BUDGET = 0.03


@pytest.fixture(scope='module')
def linear(case):
  """What one learner answers to pixels."""
  answer = functools.partial(case.tester.answer, case.learners[0])
  return lambda pixel: answer(case.pixels.preprocessing.apply(pixel))


@pytest.fixture(scope='module')
def chunk(case):
  pixel = jnp.asarray(case.pixels.image[:20] / 255, jnp.float32)
  label = jnp.asarray(case.pixels.label[:20])
  return Chunk(jax.random.key(1), pixel, label, jnp.float32(BUDGET))


def losses(answer, pixel, label):
  z = np.asarray(answer(pixel), float)
  z = z - z.max(-1, keepdims=True)
  return np.log(np.exp(z).sum(-1)) - z[np.arange(len(z)), label]


ATTACKS = [
  jax.jit(attack, static_argnums=0)
  for attack in (attacks.one_step, attacks.several_steps)
]


@pytest.mark.parametrize('attack', ATTACKS)
def test_it_stays_in_the_budget_and_in_range(attack, linear, chunk):
  moved = np.asarray(attack(linear, chunk))
  assert np.abs(moved - chunk.pixel).max() <= BUDGET + 1e-6
  assert moved.min() >= 0 and moved.max() <= 1
  assert np.abs(moved - chunk.pixel).max() > 0.9 * BUDGET


def test_one_step_raises_the_loss_by_the_gradients_sum(linear, chunk):
  """To first order by the budget times its L1 norm, found by differences."""
  inner = np.clip(chunk.pixel, 0.1, 0.9)  # where no pixel meets an end
  small = chunk._replace(pixel=jnp.asarray(inner), level=jnp.float32(1e-3))
  moved = ATTACKS[0](linear, small)
  label, step = np.asarray(chunk.label), 1e-2
  rise = losses(linear, moved, label) - losses(linear, inner, label)
  one = np.eye(inner[0].size).reshape(-1, *inner.shape[1:])
  for i in range(3):
    ends = [
      losses(linear, (inner[i] + s * step * one).astype(np.float32), label[i])
      for s in (1, -1)
    ]
    slope = (ends[0] - ends[1]) / (2 * step)
    assert rise[i] == pytest.approx(1e-3 * np.abs(slope).sum(), rel=0.02)


def test_more_steps_are_at_least_as_strong(linear, chunk):
  label = np.asarray(chunk.label)
  one, many = (losses(linear, a(linear, chunk), label) for a in ATTACKS)
  assert many.mean() >= one.mean() > losses(linear, chunk.pixel, label).mean()


def test_accuracies_are_those_of_the_attacked_images(case):
  found = measured(['fgsm', 'pgd'], case)
  label = case.pixels.label
  clean = 100 * np.mean(case.answers.argmax(-1) == label, -1)
  for name in ('fgsm', 'pgd'):
    assert np.all(np.array(found[name].values) <= clean)
    assert (
      '8/255' in found[name].about and '50 test images' in found[name].about
    )
  weight = np.asarray(case.learners[0], float)
  apply = case.pixels.preprocessing.apply
  pixel = jnp.asarray(case.pixels.image / 255, jnp.float32)
  answer = lambda p: case.tester.answer(case.learners[0], apply(p))
  whole = Chunk(case.key, pixel, jnp.asarray(label), jnp.float32(8 / 255))
  moved = np.asarray(apply(ATTACKS[0](answer, whole)), float)
  said = (moved.reshape(len(moved), -1) @ weight).argmax(-1)
  assert found['fgsm'].values[0] == pytest.approx(100 * np.mean(said == label))


def test_no_budget_changes_nothing(case):
  none = dataclasses.replace(case, budget=0.0)
  clean = 100 * np.mean(case.answers.argmax(-1) == case.pixels.label, -1)
  for measure in measured(['fgsm', 'pgd'], none).values():
    np.testing.assert_allclose(measure.values, clean, atol=1e-3)
