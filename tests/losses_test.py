"""Losses against numbers worked out by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax import losses


def test_squared_error_is_half_the_sum_over_classes():
  prediction = jnp.asarray([[1.0, 2.0], [0.0, -1.0]])
  label = jnp.asarray([[0.0, 0.0], [0.5, -1.0]])
  np.testing.assert_allclose(
    losses.squared_error(prediction, label), [2.5, 0.125]
  )


def test_soft_cross_entropy_of_even_odds():
  logits = jnp.zeros((2, 4))
  label = jnp.asarray([[0.0, 1.0, 0.0, 0.0], [0.5, 0.5, 0.5, 0.5]])
  want = [math.log(4), 2 * math.log(4)]
  np.testing.assert_allclose(
    losses.soft_cross_entropy(logits, label), want, rtol=1e-6
  )


def test_soft_cross_entropy_of_uneven_odds():
  logits = jnp.log(jnp.asarray([[1.0, 3.0]])) + 7  # odds of 1 to 3
  label = jnp.asarray([[0.25, 0.75]])
  want = 0.25 * math.log(4) + 0.75 * math.log(4 / 3)
  np.testing.assert_allclose(
    losses.soft_cross_entropy(logits, label), [want], rtol=1e-6
  )


def test_soft_cross_entropy_of_far_logits_is_finite():
  logits, label = jnp.asarray([[1e4, -1e4]]), jnp.asarray([[0.0, 1.0]])
  value, gradient = jax.value_and_grad(
    lambda logits: losses.soft_cross_entropy(logits, label).sum()
  )(logits)
  assert value == 2e4
  np.testing.assert_array_equal(gradient, [[1, -1]])


def test_label_margin_is_the_capped_gap_of_the_two_largest():
  # Gaps 0.1 (kept) and 0.7 (capped at 1/4).
  label = jnp.asarray([[0.2, -0.5, 0.3, 0.0], [0.1, 0.8, 0.1, 0.1]])
  np.testing.assert_allclose(losses.label_margin(label), -0.175, rtol=1e-6)
  gradient = jax.grad(losses.label_margin)(label)
  want = np.zeros((2, 4))
  want[0, 0], want[0, 2] = 0.5, -0.5  # half: the mean of two rows
  np.testing.assert_allclose(gradient, want, atol=1e-7)


def test_accuracy_counts_equal_largest_entries():
  prediction = jnp.asarray([[0.1, 0.2], [3.0, 2.0], [0.0, 1.0], [-2.0, -1.0]])
  label = jnp.asarray([[-0.1, 0.9], [0.9, -0.1], [0.9, -0.1], [0.2, 0.8]])
  value = losses.accuracy(prediction, label)
  assert value == 0.75 and value.dtype == jnp.float32
