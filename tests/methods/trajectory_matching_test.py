"""Trajectory matching: its gradient against plain references."""

import jax.numpy as jnp
import numpy as np
import pytest
from trajectories import (
  NETWORK,
  cosine,
  gradients,
  matching,
  plain,
  problem,
)

from dd_jax.methods.student import Student


@pytest.mark.parametrize('plan', ['remat', 'nested'])
def test_the_gradient_is_exact(plan, x64):
  expected = gradients(plain, 0.1, jnp.float64, 50)
  found = gradients(matching, 0.1, jnp.float64, Student(NETWORK, 50, plan=plan))
  assert found[0] == pytest.approx(expected[0], rel=1e-12)
  assert found[2] == pytest.approx(expected[2], rel=1e-9)
  np.testing.assert_allclose(found[1], expected[1], rtol=1e-9, atol=1e-15)
  assert 1 - cosine(found[1], expected[1]) <= 1e-9


def test_the_gradient_meets_finite_differences(x64):
  data, segment = problem(jnp.float64)
  # Away from where a ReLU flips: inner gradients jump there, and so does this.
  student, rate, step = Student(NETWORK, 10), 0.07, 1e-6
  _, image, by_rate = gradients(matching, rate, jnp.float64, student)
  way = np.random.default_rng(0).normal(size=image.shape)
  shift = step * way.reshape(data.image.shape)

  def value(sign, image_step, rate_step):
    moved = data.image + sign * image_step
    return float(
      matching(moved, rate + sign * rate_step, data, segment, student)
    )

  along = (value(1, shift, 0) - value(-1, shift, 0)) / (2 * step)
  assert along == pytest.approx(image @ way, rel=1e-4)
  along = (value(1, 0, step) - value(-1, 0, step)) / (2 * step)
  assert along == pytest.approx(by_rate, rel=1e-4)


@pytest.mark.parametrize('rate', [0.02, 0.1, 0.3])
def test_float32_agrees_with_float64(rate, x64):
  double = gradients(matching, rate, jnp.float64, Student(NETWORK, 50))
  single = gradients(matching, rate, jnp.float32, Student(NETWORK, 50))
  assert cosine(double[1], single[1]) >= 0.999
