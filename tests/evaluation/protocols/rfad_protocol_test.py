"""RFAD's wide network: the rates of its authors, their decay."""

import jax
import numpy as np
import pytest

from dd_jax.evaluation.protocols import rfad_nn


@pytest.mark.parametrize(
  'name, ipc, step_size, label_scale, decay',
  [
    ('rfad-nn', 1, 1e-3, 8, 0),
    ('rfad-nn', 10, 1e-3, 2, 0),
    ('rfad-nn', 50, 1e-2, 2, 0),
    ('rfad-nn', 1000, 1e-2, 2, 0),
    ('rfad-nn-mnist', 1, 1e-3, 8, 1e-3),
    ('rfad-nn-mnist', 10, 1e-2, 8, 1e-3),
    ('rfad-nn-mnist', 50, 1e-2, 8, 0),
    ('rfad-nn-fashion', 1, 1e-3, 8, 0),
    ('rfad-nn-fashion', 10, 1e-2, 8, 1e-3),
    ('rfad-nn-fashion', 50, 1e-3, 2, 0),
    ('rfad-nn-svhn', 1, 1e-3, 16, 0),
    ('rfad-nn-svhn', 10, 1e-2, 8, 0),
    ('rfad-nn-svhn', 50, 1e-2, 2, 0),
    ('rfad-nn-cifar100', 1, 1e-1, 8, 0),
    ('rfad-nn-cifar100', 10, 1e-1, 2, 0),
  ],
)
def test_rates(name, ipc, step_size, label_scale, decay):
  assert rfad_nn.rates(name, ipc) == (step_size, label_scale, decay)


def test_the_decay_is_the_gradient_of_a_squared_distance(setting):
  """Of weight 1e-3, where the loss itself is flat; the first step of SGD."""
  recipe = rfad_nn.recipe('rfad-nn-mnist', setting(), 3)
  start, moved = np.zeros(3, np.float32), np.arange(3, dtype=np.float32)
  state = recipe.optimizer.init(start)
  updates, _ = recipe.optimizer.update(np.zeros(3), state, moved)
  penalty = lambda p: 1e-3 * ((p - start) ** 2).sum()
  wanted = -1e-3 * jax.grad(penalty)(moved)
  np.testing.assert_allclose(updates, wanted, rtol=1e-6)
