"""The clip by the average norm."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.methods.clipping import clip_to_average


def test_clip_to_average():
  clip = clip_to_average(2.0, decay=0.5)
  state = clip.init({'a': jnp.zeros(2)})
  norms = []
  for size in (1.0, 1.0, 10.0, 1e10, 1.0):
    gradient = {'a': jnp.asarray([0.6 * size, 0.8 * size])}
    clipped, state = clip.update(gradient, state)
    norms.append(float(optax.tree.norm(clipped)))
  # The average is 1, 1, 1.5, 2.25, 1.625: of the norms as they were clipped.
  np.testing.assert_allclose(norms, [1, 1, 2, 3, 1], rtol=1e-6)
  assert float(state.norm) == pytest.approx(1.625)
