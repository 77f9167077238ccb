"""FRePo's protocol: its numbers and its learner."""

import jax
import numpy as np
import optax
import pytest

from dd_jax.evaluation.protocols import frepo


@pytest.mark.parametrize(
  'size, steps',
  [
    (1, 1000),
    (10, 1000),
    (11, 2000),
    (100, 2000),
    (200, 20000),
    (400, 5000),
    (500, 5000),
    (1000, 10000),
    (2000, 40000),
    (5000, 40000),
    (9000, 40000),
  ],
)
def test_steps(setting, images, size, steps):
  assert frepo.recipe(setting()).num_steps(images(size)) == steps


def test_schedule(monkeypatch, setting, images):
  """Up to 3e-4 in 500 steps, then down to a hundredth of it by a cosine."""
  rates = []
  adam = optax.adam
  monkeypatch.setattr(
    optax, 'adam', lambda rate: rates.append(rate) or adam(rate)
  )
  recipe = frepo.recipe(setting())
  recipe.optimizer(images(100))
  [rate] = rates
  assert rate(0) == 0
  np.testing.assert_allclose(rate(250), 1.5e-4, rtol=1e-5)
  np.testing.assert_allclose(rate(500), 3e-4, rtol=1e-5)
  np.testing.assert_allclose(rate(1250), (3e-4 + 3e-6) / 2, rtol=1e-4)
  np.testing.assert_allclose(rate(2000), 3e-6, rtol=1e-3)
  assert recipe.batch_size == 500 and recipe.augment is not None


def test_the_learner_has_no_norm(setting, key):
  recipe = frepo.recipe(setting(network=None))
  variables = jax.eval_shape(recipe.network.init, key)
  assert set(variables) == {'params'}
  shapes = [a.shape for a in jax.tree.leaves(variables)]
  assert (3, 3, 1, 128) in shapes
