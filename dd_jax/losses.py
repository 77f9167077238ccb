"""Losses between predictions and labels."""

import jax
import jax.numpy as jnp


def squared_error(prediction: jax.Array, label: jax.Array) -> jax.Array:
  """Half the squared error summed over classes, per example: `[n]`."""
  return 0.5 * jnp.sum((prediction - label) ** 2, -1)


def soft_cross_entropy(logits: jax.Array, label: jax.Array) -> jax.Array:
  """`-sum_c label_c log softmax(logits)_c`, per example: `[n]`."""
  return -jnp.sum(label * jax.nn.log_softmax(logits), -1)


def label_margin(label: jax.Array) -> jax.Array:
  """FRePo's margin term: minus the gap of the two largest labels, capped.

  `mean_i -min(top1_i - top2_i, 1/k)`, a scalar (arXiv 2206.00719).
  """
  top = jax.lax.top_k(label, 2)[0]
  return -jnp.mean(jnp.minimum(top[:, 0] - top[:, 1], 1 / label.shape[-1]))


def accuracy(prediction: jax.Array, label: jax.Array) -> jax.Array:
  """Share of examples whose largest prediction is their largest label."""
  hit = jnp.argmax(prediction, -1) == jnp.argmax(label, -1)
  return jnp.mean(hit.astype(jnp.float32))
