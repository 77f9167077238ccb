r"""Implicit gradients: of an outer loss at the optimum of an inner problem.

With :math:`\delta^*` the optimum of the convexified inner problem
(`convexified`), the gradient in the support set is the direct one, with
:math:`\delta^*` held fixed, and the implicit one,

.. math:: \nabla_s \langle J_s v, M r \rangle , \qquad
  v = (I + J_s^T M J_s)^{-1} \nabla_\delta L

(arXiv 2302.06755).
"""

import jax
import jax.numpy as jnp
import optax

from dd_jax.distiller import Context, Decode, Gradient, Loss
from dd_jax.methods.bilevel import BilevelProblem
from dd_jax.training import sum_chunks
from dd_jax.types import LabeledData, Metrics, PyTree


def implicit_gradient(problem: BilevelProblem, limit: float) -> Gradient:
  """The direct gradient and the implicit one, see `limited_sum`."""

  def gradient(
    loss: Loss,
    decode: Decode,
    params: PyTree,
    batch: LabeledData,
    context: Context,
  ) -> tuple[tuple[jax.Array, Metrics], PyTree]:
    del loss  # the problem's, in the pieces that both gradients need
    (value, metrics), direct, indirect = direct_and_implicit(
      problem, decode, params, batch, context
    )
    change, share = limited_sum(direct, indirect, limit)
    assert context.model is not None
    age = context.model.age
    metrics = {**metrics, 'implicit_share': share, 'model_age': age}
    return (value, metrics), change

  return gradient


def direct_and_implicit(
  problem: BilevelProblem,
  decode: Decode,
  params: PyTree,
  batch: LabeledData,
  context: Context,
) -> tuple[tuple[jax.Array, Metrics], PyTree, PyTree]:
  """Both gradients of a bilevel problem.

  Args:
    problem: the problem.
    decode: `(params) -> Learned`.
    params: what the gradients are taken in.
    batch: real images.
    context: holds the network.

  Returns:
    `((value, metrics), direct gradient, implicit gradient)`.
  """
  tangent, inner, delta, targets = problem.optimum(
    decode(params), batch, context
  )

  def outer(
    params: PyTree, delta: PyTree, logits: jax.Array
  ) -> tuple[jax.Array, Metrics]:
    seen = targets._replace(logits=logits)
    return problem.outer(tangent, decode(params), delta, seen)

  differentiate = jax.value_and_grad(outer, (0, 1, 2), has_aux=True)
  found, (direct, g, cotangent) = differentiate(params, delta, targets.logits)
  through_targets = sum_chunks(
    lambda x: tangent.vjp(*x),
    (batch.image, cotangent),
    problem.network.runs_on.pass_examples,
  )
  v = inner.inverse_hessian(optax.tree.add(g, through_targets))

  def pairing(params: PyTree) -> jax.Array:
    fitted = problem.fit(tangent, decode(params).data, delta)
    return jnp.vdot(fitted.jvp(v), fitted.dual)

  return found, direct, jax.grad(pairing)(params)


def limited_sum(
  direct: PyTree, implicit: PyTree, limit: float
) -> tuple[PyTree, jax.Array]:
  """The sum, where the implicit part of each leaf is at most `limit` direct.

  Returns:
    `(gradient, norm of the implicit part before the limit over the direct)`.
  """

  def limited(d: jax.Array, i: jax.Array) -> jax.Array:
    i = jnp.where(jnp.isfinite(i), i, 0)
    norm = jnp.linalg.norm(jnp.ravel(i))
    most = limit * jnp.linalg.norm(jnp.ravel(d))
    factor = jnp.where(norm > most, most / jnp.where(norm > 0, norm, 1), 1)
    return d + factor * i

  share = optax.tree.norm(implicit) / optax.tree.norm(direct)
  return jax.tree.map(limited, direct, implicit), share
