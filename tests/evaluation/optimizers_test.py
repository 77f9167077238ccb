"""Optimisers of protocols against their formulas and PyTorch's."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.evaluation.optimizers import decay_to_start, restarted_sgd


def torch_sgd(gradients, params, restart, rate=0.01, momentum=0.9, decay=5e-4):
  """torch.optim.SGD, made anew at a tenth of the rate after `restart` steps."""
  buffer, path = None, []
  for i, gradient in enumerate(gradients):
    if i == restart:
      buffer, rate = None, rate / 10
    g = gradient + decay * params
    buffer = g if buffer is None else momentum * buffer + g
    params = params - rate * buffer
    path.append(params)
  return np.array(path)


@pytest.mark.parametrize('restart', [0, 1, 4, 99])
def test_restarted_sgd_is_torchs(restart):
  rng = np.random.default_rng(0)
  gradients, start = rng.normal(size=(10, 5)), rng.normal(size=5)
  with jax.enable_x64(True):
    optimizer = restarted_sgd(0.01, restart, momentum=0.9, weight_decay=5e-4)
    params = jnp.asarray(start)
    state, path = optimizer.init(params), []
    for gradient in gradients:
      updates, state = optimizer.update(jnp.asarray(gradient), state, params)
      params = optax.apply_updates(params, updates)
      path.append(np.asarray(params))
  expected = torch_sgd(gradients, start, restart)
  np.testing.assert_allclose(path, expected, rtol=1e-12)


def test_decay_pulls_to_where_parameters_started():
  transform = decay_to_start(0.5)
  start = {'a': jnp.array([1.0, -2.0])}
  state = transform.init(start)
  here = {'a': jnp.array([2.0, -2.0])}
  gradient = {'a': jnp.array([0.25, 0.25])}
  updates, after = transform.update(gradient, state, here)
  np.testing.assert_allclose(updates['a'], [0.75, 0.25])
  np.testing.assert_array_equal(after['a'], start['a'])
