"""The sum of the direct and the implicit gradient."""

import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.methods.implicit_gradient import limited_sum


def test_implicit_part_is_limited_by_the_direct_one():
  direct = {'a': jnp.array([3.0, 4.0]), 'b': jnp.array([1.0])}
  implicit = {'a': jnp.array([0.0, 50.0]), 'b': jnp.array([0.5])}
  change, share = limited_sum(direct, implicit, 1.0)
  np.testing.assert_allclose(change['a'], [3.0, 9.0], rtol=1e-6)
  np.testing.assert_allclose(change['b'], [1.5], rtol=1e-6)
  assert float(share) == pytest.approx(50.0025 / 26**0.5, rel=1e-6)
  alone, _ = limited_sum(direct, implicit, 0.0)
  np.testing.assert_allclose(alone['a'], direct['a'])


def test_a_gradient_that_is_not_finite_counts_nothing():
  direct = {'a': jnp.array([1.0, 2.0])}
  broken = {'a': jnp.array([jnp.nan, 1.0])}
  change, _ = limited_sum(direct, broken, 1.0)
  np.testing.assert_allclose(change['a'], [1.0, 3.0])
