"""IDC's protocol: its steps, its rate, its mixed labels."""

import jax
import numpy as np
import optax
import pytest

from dd_jax.evaluation.protocols import idc


@pytest.mark.parametrize(
  'size, steps', [(10, 1000), (64, 1000), (65, 2000), (500, 8000)]
)
def test_steps(setting, images, size, steps):
  """A thousand epochs of batches of 64."""
  found = idc.recipe(setting())
  assert found.num_steps(images(size)) == steps and found.batch_size == 64


def test_the_rate_falls_twice(setting, images):
  """By five, at two thirds and five sixths; on weights that decay."""
  optimizer = idc.recipe(setting(steps=60)).optimizer(images(6))
  params, gradient = {'w': np.ones(1)}, {'w': np.zeros(1)}
  state, moves, trace = optimizer.init(params), [], 0.0
  for _ in range(60):
    updates, state = optimizer.update(gradient, state, params)
    trace = 0.9 * trace + 5e-4 * params['w'][0]
    moves.append(-updates['w'][0] / trace)
    params = optax.apply_updates(params, updates)
  wanted = np.where(np.arange(60) < 40, 0.01, 0.002)
  wanted = np.where(np.arange(60) < 50, wanted, 0.0004)
  np.testing.assert_allclose(moves, wanted, rtol=1e-4)


def test_half_of_the_batches_are_mixed(setting, distilled, key):
  """Their labels are shares of two classes, whose sum stays one."""
  found, data = idc.recipe(setting()), jax.device_put(distilled())
  keys = jax.random.split(key, 200)
  label = jax.vmap(lambda k: found.mix(k, data).label)(keys)
  np.testing.assert_allclose(label.sum(-1), 1, rtol=1e-5)
  mixed = np.any((label > 0) & (label < 1), axis=(1, 2))
  assert 60 < mixed.sum() < 120  # a few rectangles have no area
