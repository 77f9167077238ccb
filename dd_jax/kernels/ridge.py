r"""Kernel ridge regression: the one regularised solve.

.. math:: P = K_{ts} (K_{ss} + \lambda I)^{-1} Y_s

The rule that gives lambda is part of a method's definition and they are not
interchangeable: KIP, RFAD and FRePo scale by the mean of the diagonal, RCIG
does not.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl

from dd_jax.types import UserError

_HIGHEST = jax.lax.Precision.HIGHEST
_REFINEMENTS = 2
_MAX_RAISES = 6


class Ridge(NamedTuple):
  """How lambda follows from `K [n, n]`.

  Attributes:
    value: the number in the paper.
    rule: 'trace' (value times the mean of the diagonal) or 'absolute'.
  """

  value: float = 1e-6
  rule: str = 'trace'

  def penalty(self, k: jax.Array) -> jax.Array:
    """Returns lambda, a scalar of `k`'s dtype."""
    if self.rule == 'trace':
      return self.value * jnp.trace(k) / k.shape[0]
    if self.rule == 'absolute':
      return jnp.asarray(self.value, k.dtype)
    raise UserError(
      f"ridge.rule={self.rule!r}: allowed are 'trace', 'absolute'"
    )


class Solution(NamedTuple):
  """The result of a solve.

  Attributes:
    weights: `(K + lambda I)^-1 Y`, `[n, k]`.
    raised: how many times lambda was raised tenfold to factorise, a scalar.
  """

  weights: jax.Array
  raised: jax.Array


def solve(k: jax.Array, y: jax.Array, ridge: Ridge) -> Solution:
  """Solves `(k + lambda I) w = y` by Cholesky with iterative refinement.

  Where the factorisation fails (lambda below the rounding of `k`), lambda is
  raised tenfold, at most six times. The gradient solves with the same factor
  and the same refinement.

  Args:
    k: symmetric positive semi-definite `[n, n]`.
    y: `[n, m]`.
    ridge: gives lambda.

  Returns:
    A `Solution`, in the dtype of `k`.
  """
  penalty = ridge.penalty(k)
  eye = jnp.eye(k.shape[0], dtype=k.dtype)
  factor, raised = _factorise(
    jax.lax.stop_gradient(k + penalty * eye), jax.lax.stop_gradient(penalty)
  )
  # Where lambda starts at zero it is raised to the rounding of the diagonal.
  effective = _effective(k, penalty, raised)
  system = k + effective * eye

  def apply(w: jax.Array) -> jax.Array:
    return jnp.matmul(system, w, precision=_HIGHEST)

  def refined(_: object, b: jax.Array) -> jax.Array:
    w = jsl.cho_solve((factor, True), b)
    for _ in range(_REFINEMENTS):
      w = w + jsl.cho_solve((factor, True), b - apply(w))
    return w

  weights = jax.lax.custom_linear_solve(apply, y, refined, symmetric=True)
  return Solution(weights, raised)


def _effective(
  k: jax.Array, penalty: jax.Array, raised: jax.Array
) -> jax.Array:
  floor = jnp.finfo(k.dtype).eps * jnp.trace(k) / k.shape[0]
  base = jnp.where(raised > 0, jnp.maximum(penalty, floor), penalty)
  return base * 10.0 ** raised.astype(k.dtype)


def _factorise(
  system: jax.Array, penalty: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Cholesky of `system`, with lambda raised until it exists."""
  eye = jnp.eye(system.shape[0], dtype=system.dtype)
  k = system - penalty * eye

  def failed(carry: tuple[jax.Array, jax.Array]) -> jax.Array:
    factor, raised = carry
    bad = ~jnp.all(jnp.isfinite(jnp.diagonal(factor)))
    return bad & (raised < _MAX_RAISES)

  def again(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    raised = carry[1] + 1
    effective = _effective(k, penalty, raised)
    return jnp.linalg.cholesky(k + effective * eye), raised

  first = (jnp.linalg.cholesky(system), jnp.zeros((), jnp.int32))
  return jax.lax.while_loop(failed, again, first)


def predict(
  k_ss: jax.Array, k_ts: jax.Array, y: jax.Array, ridge: Ridge
) -> tuple[jax.Array, jax.Array]:
  """Ridge regression's prediction.

  Args:
    k_ss: `[n, n]`.
    k_ts: `[t, n]`.
    y: support labels `[n, k]`.
    ridge: gives lambda.

  Returns:
    `(prediction [t, k], raised)`.
  """
  solution = solve(k_ss, y, ridge)
  prediction = jnp.matmul(k_ts, solution.weights, precision=_HIGHEST)
  return prediction, solution.raised
