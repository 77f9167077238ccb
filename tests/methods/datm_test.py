"""DATM: its window, its threshold."""

import jax
import jax.numpy as jnp
import numpy as np
from trajectories import (
  build,
  source,
  updated,
)

from dd_jax.methods.datm import datm


def test_the_window_widens():
  method = build(
    datm, 'logits', ipc=2, min_start=1, first_stop=2, max_start=3, widen_steps=4
  )

  def starts(step):
    draw = lambda key: method.sample(key, jnp.int32(step), source()).epoch[0]
    return {int(draw(jax.random.key(k))) for k in range(20)}

  assert starts(0) == starts(3) == {1}
  assert starts(4) == starts(100) == {1, 2}


def test_a_step_above_the_threshold_is_skipped():
  method = build(datm, 'logits', ipc=2, threshold=1e-6)
  before = method.init(jax.random.key(0), source())
  state, metrics = updated(method)
  assert metrics['skipped'] == 1
  for a, b in zip(
    *map(jax.tree.leaves, (before.params, state.params)), strict=True
  ):
    np.testing.assert_array_equal(a, b)
