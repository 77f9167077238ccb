"""Losses against numbers worked out by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

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


# Gradient distances.


def gradients(dtype=np.float64):
  """Two trees of a convolution's, a dense layer's and a bias's gradient."""
  rng = np.random.default_rng(0)
  shapes = {'conv': (3, 3, 2, 4), 'dense': (5, 3), 'bias': (3,)}
  return [
    {k: rng.normal(size=s).astype(dtype) for k, s in shapes.items()}
    for _ in range(2)
  ]


def by_channel(a, b):
  """Pairs of vectors, one for every output channel of every layer."""
  for name in a:
    for i in range(a[name].shape[-1]):
      yield np.ravel(a[name][..., i]), np.ravel(b[name][..., i])


def one_minus_cosine(x, y):
  return 1 - x @ y / (np.linalg.norm(x) * np.linalg.norm(y) + 1e-6)


def flat(tree):
  return np.concatenate([leaf.ravel() for leaf in tree.values()])


BRUTE_FORCE = {
  'layerwise': lambda a, b: sum(
    one_minus_cosine(x, y) for x, y in by_channel(a, b)
  ),
  'magnitude': lambda a, b: sum(
    one_minus_cosine(x, y) + np.linalg.norm(x - y) for x, y in by_channel(a, b)
  ),
  'cosine': lambda a, b: one_minus_cosine(flat(a), flat(b)),
  'mse': lambda a, b: np.sum((flat(a) - flat(b)) ** 2),
  'l1': lambda a, b: np.sum(np.abs(flat(a) - flat(b))),
}


@pytest.mark.parametrize('name', losses.DISTANCES)
def test_gradient_distances_equal_brute_force(x64, name):
  a, b = gradients()
  distance = losses.DISTANCES[name]
  np.testing.assert_allclose(
    distance(a, b), BRUTE_FORCE[name](a, b), rtol=1e-12
  )
  assert distance(a, a) < 1e-4  # the cosines' constant keeps it above zero


@pytest.mark.parametrize('name', losses.DISTANCES)
def test_gradient_distances_of_a_dead_channel_have_finite_gradients(name):
  a, b = gradients(np.float32)
  for tree in (a, b):
    tree['conv'][..., 1] = 0
  slope = jax.grad(losses.DISTANCES[name])(a, b)
  assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(slope))
  assert (slope['conv'][..., 1] == 0).all()
