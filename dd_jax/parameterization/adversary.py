r"""HaBa's adversary: a network that tells how alike two redrawings are.

Liu et al. (arXiv 2210.16774). Hallucinators minimise the cosine of two
redrawings of the same base in the adversary's features; it is trained to class
the images, to bring these two together, and to keep classes apart. A second
network beside the method's own, whatever the method.
"""

import math

import jax
import jax.numpy as jnp
import optax

from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import Network
from dd_jax.parameterization.base import Adversary
from dd_jax.training import Model, fresh_model
from dd_jax.types import Key, LabeledData, Metrics, PyTree

_CONTRAST, _LIKELIHOOD = 0.1, 0.1  # the paper's weights; of the task: 1
_TEMPERATURE = 0.07
_LEARNING_RATE, _MOMENTUM = 1e-3, 0.9
_BASES = 128  # that one step looks at, at most


def adversary_of(
  network: Network, num_classes: int, redrawings: int, weight: float
) -> Adversary:
  """The adversary of hallucinators.

  Args:
    network: its features are compared, its logits classed.
    num_classes: `k`.
    redrawings: of one base, side by side in the decoded set; 2 or more.
    weight: of the penalty (`club` in the paper's code: 0.1).
  """
  optimizer = optax.sgd(_LEARNING_RATE, _MOMENTUM)

  def pairs(key: Key, image: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Two redrawings of some bases `[2 n, h, w, c]`, and classes `[2 n, k]`."""
    k_two, k_some = jax.random.split(key)
    grid = image.reshape(-1, redrawings, *image.shape[1:])
    two = jax.random.permutation(k_two, redrawings)[:2]
    count = grid.shape[0]
    rows = jnp.arange(count)
    if count > _BASES:
      rows = jax.random.choice(k_some, count, (_BASES,), replace=False)
    chosen = grid[rows][:, two].swapaxes(0, 1)
    one_hot = jax.nn.one_hot(rows // (count // num_classes), num_classes)
    return chosen.reshape(-1, *image.shape[1:]), jnp.tile(one_hot, (2, 1))

  def penalty(
    key: Key, model: Model, data: LabeledData
  ) -> tuple[jax.Array, Metrics]:
    image, _ = pairs(key, data.image)
    embedded = unit(network.apply(model.variables, image)[0].features)
    value = weight * jnp.mean((likeness(embedded) + 1) / 2)
    return value, {'adversary_penalty': value}

  def advance(
    key: Key, model: Model, data: LabeledData
  ) -> tuple[Model, Metrics]:
    image, one_hot = pairs(key, data.image)

    def objective(params: PyTree) -> tuple[jax.Array, PyTree]:
      variables = {**model.variables, 'params': params}
      out, variables = network.apply(variables, image, train=True)
      embedded = unit(out.features)
      value = jnp.mean(soft_cross_entropy(out.logits, one_hot))
      value += _LIKELIHOOD * jnp.mean((1 - likeness(embedded)) / 2)
      return value + _CONTRAST * contrast(embedded, one_hot), variables

    params = model.variables['params']
    (value, variables), change = jax.value_and_grad(objective, has_aux=True)(
      params
    )
    updates, opt_state = optimizer.update(change, model.opt_state, params)
    params = optax.apply_updates(params, updates)
    moved = Model({**variables, 'params': params}, opt_state, model.age + 1)
    return moved, {'adversary_loss': value}

  return Adversary(
    lambda key: fresh_model(network, optimizer, key), penalty, advance
  )


def unit(features: jax.Array) -> jax.Array:
  """Rows of `[n, d]` at length 1."""
  square = jnp.sum(features**2, -1, keepdims=True)
  return features * jax.lax.rsqrt(square + 1e-12)


def likeness(embedded: jax.Array) -> jax.Array:
  """Cosines of row i with row i + n of `[2 n, d]`: `[n]`."""
  first, second = jnp.split(embedded, 2)
  return jnp.sum(first * second, -1)


def contrast(embedded: jax.Array, one_hot: jax.Array) -> jax.Array:
  r"""The supervised contrastive loss (Khosla et al., arXiv 2004.11362).

  .. math::
    -\frac1n \sum_i \frac1{|P_i|} \sum_{p \in P_i}
    \log \frac{e^{z_i z_p / \tau}}{\sum_{a \ne i} e^{z_i z_a / \tau}}

  with `P_i` the others of i's class.

  Args:
    embedded: unit rows `[n, d]`.
    one_hot: classes `[n, k]`.
  """
  other = 1 - jnp.eye(len(embedded))
  logits = embedded @ embedded.T / _TEMPERATURE
  logits = jnp.where(other > 0, logits, -math.inf)
  log_share = logits - jax.nn.logsumexp(logits, -1, keepdims=True)
  same = (one_hot @ one_hot.T) * other
  each = jnp.sum(jnp.where(same > 0, log_share, 0), -1) / jnp.sum(same, -1)
  return -jnp.mean(each)
