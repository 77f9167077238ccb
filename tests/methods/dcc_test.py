"""When DCC begins to compare gradients averaged over classes."""

import jax.numpy as jnp
import numpy as np

from dd_jax.methods.dc import dc
from dd_jax.methods.dcc import dcc


def test_dcc_warms_up_class_by_class(gradients):
  """By networks, or from an age of each on."""
  settings = {'outer_steps': 3, 'inner_epochs': 1}
  mixed = gradients.make(dcc, warm_up=2, inner_warm_up=2, **settings)
  by_class = gradients.make(dc, **settings)
  averaged = gradients.make(dc, level='sum', **settings)
  for t in (0, 2, 3, 5, 6, 7):
    expected = by_class if t in (0, 3) else averaged
    state = gradients.start(mixed)
    age = jnp.full((1,), t % 3, jnp.int32)
    state = state._replace(models=state.models._replace(age=age))
    got = gradients.step(mixed, state, t).metrics['loss']
    np.testing.assert_allclose(
      got, gradients.step(expected, state, t).metrics['loss']
    )
