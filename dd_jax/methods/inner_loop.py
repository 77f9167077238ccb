r"""The inner loop: a fresh network trains on the support set.

.. math:: \theta_{t+1} = \theta_t - U(\nabla_\theta l(\theta_t; S_t))

and the loss of what comes out, on real images, is differentiated through all or
the last of these steps.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import Network
from dd_jax.training import Model, epochs, fresh_model, train, train_step
from dd_jax.types import Augment, Key, LabeledData, Metrics, PyTree
from dd_jax.unroll import mean_loss, unroll


class InnerLoop(NamedTuple):
  """How a network is trained on the support set inside an outer step.

  Attributes:
    network: the learner.
    optimizer: of its parameters; must be differentiable.
    batch_size: support images in one inner step, at most.
    augment: of each inner batch, or None.
  """

  network: Network
  optimizer: optax.GradientTransformation
  batch_size: int
  augment: Augment | None = None


def unrolled_loss(
  inner: InnerLoop,
  data: LabeledData,
  batch: LabeledData,
  key: Key,
  start: int | jax.Array,
  length: int,
  plan: str,
) -> tuple[jax.Array, Metrics]:
  """What training on `data` is worth on `batch`.

  Args:
    inner: how a fresh network is trained.
    data: support set.
    batch: real images.
    key: draws the network and the order and augmentation of inner batches.
    start: steps before those that are differentiated; may be traced.
    length: steps that are differentiated.
    plan: see `dd_jax.unroll`.

  Returns:
    The mean cross-entropy, and its metrics.
  """
  model = _trained(inner, data, key, start, length, plan)
  value, metrics = real_loss(inner.network, model.variables, batch)
  end = jnp.asarray(start + length, jnp.int32)
  return value, {**metrics, 'unroll_end': end}


def real_loss(
  network: Network, variables: PyTree, batch: LabeledData
) -> tuple[jax.Array, Metrics]:
  """Mean cross-entropy of a network on real images, and its metrics."""

  def each(variables: PyTree, real: LabeledData) -> tuple[jax.Array, jax.Array]:
    logits = network.apply(variables, real.image)[0].logits
    right = logits.argmax(-1) == real.label.argmax(-1)
    return soft_cross_entropy(logits, real.label), right.astype(logits.dtype)

  value, hit = mean_loss(each, variables, batch)
  return value, {'batch_accuracy': hit}


def _trained(
  inner: InnerLoop,
  data: LabeledData,
  key: Key,
  start: int | jax.Array,
  length: int,
  plan: str,
) -> Model:
  """A network after `start + length` steps, differentiable in the last ones."""
  k_init, k_data = jax.random.split(key)
  batches, _ = epochs(k_data, data, inner.batch_size, inner.augment)
  model = fresh_model(inner.network, inner.optimizer, k_init)
  step = functools.partial(
    train_step,
    inner.network,
    inner.optimizer,
    soft_cross_entropy,
    differentiable=True,
  )
  if not isinstance(start, int) or start:
    fixed = jax.lax.stop_gradient(data)
    before, _ = epochs(k_data, fixed, inner.batch_size, inner.augment)
    model = jax.lax.stop_gradient(train(step, model, before, start))
  forward = lambda i, model: step(model, batches(i))
  return unroll(forward, model, length, plan=plan, offset=start)
