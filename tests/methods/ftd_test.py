"""FTD: what it delivers."""

import jax
import numpy as np
from trajectories import (
  build,
  source,
  updated,
)

from dd_jax.methods.ftd import ftd


def test_ftd_delivers_the_average():
  method = build(ftd, average=0.5)
  state, _ = updated(method)
  first = method.init(jax.random.key(0), source()).params['data']['image']
  mean = (first + state.params['data']['image']) / 2
  np.testing.assert_allclose(method.distilled(state).image, mean, rtol=1e-6)
