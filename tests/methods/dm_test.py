"""Distribution matching against NumPy."""

import numpy as np
import optax

from dd_jax.methods.dm import dm

IPC = 2


def test_dm_is_the_squared_gap_of_class_means(toys, x64):
  rate = 0.1
  method = toys.make(dm, optimizer=optax.sgd(rate))
  state, batch, after, metrics = toys.step(
    method, toys.source(dtype=np.float64)
  )
  gap = toys.real(batch).mean(1) - toys.support(state).mean(1)
  np.testing.assert_allclose(metrics['loss'], np.sum(gap**2), rtol=1e-12)
  # d/ds |t - mean s|^2 = -2 (t - mean s) / m.
  moved = toys.support(after) - toys.support(state)
  expected = np.broadcast_to(rate * 2 * gap[:, None] / IPC, moved.shape)
  np.testing.assert_allclose(moved, expected, rtol=1e-10)
