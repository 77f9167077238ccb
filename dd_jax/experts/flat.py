"""Experts in flat minima (FTD, Du et al., arXiv 2211.11004)."""

import jax
import jax.numpy as jnp
import optax

from dd_jax.networks import Network
from dd_jax.training import Batch, Loss, Model, apply_gradient, batch_gradient
from dd_jax.types import PyTree


def flat_step(
  network: Network,
  optimizer: optax.GradientTransformation,
  loss: Loss,
  model: Model,
  batch: Batch,
  *,
  rho: float,
  alpha: float,
) -> Model:
  r"""A step of `optimizer` along the gradient of a sharpness-aware objective.

  GSAM in its adaptive form: with :math:`g` the gradient, :math:`\epsilon = \rho
  p^2 g / \| |p| g \|` and :math:`g'` the gradient at :math:`p + \epsilon`, the
  direction is :math:`g' - \alpha g_\perp`, where :math:`g_\perp` is what of
  :math:`g` is orthogonal to :math:`g'`. Two gradients a step.

  Args:
    network: the learner.
    optimizer: given that direction.
    loss: `(logits, label) -> [n]`.
    model: the network in training.
    batch: its minibatch.
    rho: size of the climb.
    alpha: weight of the orthogonal part.
  """
  params = model.variables['params']
  gradient, variables = batch_gradient(network, loss, model.variables, batch)
  climbed = jax.tree.map(jnp.add, params, _climb(params, gradient, rho))
  above, _ = batch_gradient(
    network, loss, {**model.variables, 'params': climbed}, batch
  )
  direction = _surrogate(gradient, above, alpha)
  return apply_gradient(optimizer, model, direction, variables)


def _climb(params: PyTree, gradient: PyTree, rho: float) -> PyTree:
  scaled = jax.tree.map(lambda p, g: jnp.abs(p) * g, params, gradient)
  size = rho / (optax.tree.norm(scaled) + 1e-12)
  return jax.tree.map(lambda p, g: size * p**2 * g, params, gradient)


def _surrogate(gradient: PyTree, above: PyTree, alpha: float) -> PyTree:
  square = optax.tree.vdot(above, above) + 1e-24
  along = optax.tree.vdot(gradient, above) / square
  return jax.tree.map(lambda g, a: a - alpha * (g - along * a), gradient, above)
