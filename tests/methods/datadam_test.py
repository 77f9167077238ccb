"""Attention matching against maps made by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax import losses
from dd_jax.methods.datadam import datadam
from dd_jax.types import UserError

SHAPE = (8, 8, 1)
KEY = jax.random.key(0)


def test_attention_map_by_hand():
  # Two channels of a 1 x 2 map: sums of squares 1 + 4 and 0 + 4, length √41.
  activation = jnp.asarray([[[[1.0, -2.0], [0.0, 2.0]]]])
  expected = np.array([[5.0, 4.0]]) / np.sqrt(41)
  found = losses.attention_map(activation, 2)
  np.testing.assert_allclose(found, expected, rtol=1e-6)
  # The fourth powers, 17 and 16; the first, 3 and 2.
  np.testing.assert_allclose(
    losses.attention_map(activation), np.array([[17, 16]]) / np.sqrt(545), 1e-6
  )
  np.testing.assert_allclose(
    losses.attention_map(activation, 1), np.array([[3, 2]]) / np.sqrt(13), 1e-6
  )


def test_attention_of_a_dead_map_is_zero_with_a_finite_gradient():
  dead = jnp.zeros((1, 2, 2, 3))
  value, gradient = jax.value_and_grad(
    lambda x: jnp.sum(losses.attention_map(x))
  )(dead)
  assert value == 0 and np.all(np.isfinite(gradient))


def test_datadam_by_hand_on_a_tiny_network(toys, x64):
  """One pixel per map position: Q = x^4 / |x^4|, of the first two taps."""
  weights = {'attention_weight': 7.0, 'embedding_weight': 0.5}
  method = toys.make(datadam, **weights)
  state, batch, _, metrics = toys.step(method, toys.source(dtype=np.float64))
  t, s = toys.real(batch), toys.support(state)
  q = lambda x: x**4 / np.sqrt(np.sum(x**8, -1, keepdims=True))
  gap = lambda a, b: np.sum((a.mean(1) - b.mean(1)) ** 2)
  # Both taps are the image times a number, which the map's length takes out.
  expected = 7 * 2 * gap(q(t), q(s)) + 0.5 * gap(t, s)
  np.testing.assert_allclose(metrics['loss'], expected, rtol=1e-9)


def test_datadam_leaves_the_last_block_out(toys):
  network = toys.convnet(depth=2)
  run = lambda image: network.apply(network.init(KEY), image)[0]
  out = jax.eval_shape(run, jnp.zeros((1, *SHAPE)))
  assert len(out.taps) == 3
  method = toys.make(datadam, toys.convnet(depth=1))
  with pytest.raises(UserError, match='two blocks'):
    method.init(KEY, toys.source())
