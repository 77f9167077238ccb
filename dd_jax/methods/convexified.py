r"""The convexified inner problem of RCIG (arXiv 2302.06755).

A network is linearised at its weights: with features :math:`h`, the tangent map
:math:`J` of its logits in all weights but the last layer's, and that last layer
fitted in closed form, its prediction is

.. math:: P_t = J_t \delta + h_t h_s^T M (y_s - J_s \delta), \qquad
  M = (h_s h_s^T + \lambda I)^{-1},

and the inner problem, convex, is

.. math:: \delta^* = \arg\min_\delta \tfrac12 r^T M r + \tfrac12 |\delta|^2,
  \qquad r = y_s - J_s \delta.

The paper takes 20 steps of Adam, with a step size that it tunes on the way, for
:math:`\delta^*` and again for :math:`v = (I + J_s^T M J_s)^{-1} g`. Both are
linear systems; here both are solved by conjugate gradients in the dual,

.. math:: A = (h_s h_s^T + \lambda I) + J_s J_s^T, \qquad
  \delta^* = J_s^T A^{-1} y_s, \qquad
  v = g - J_s^T A^{-1} J_s g,

whose vectors are as small as the labels and which need no step size.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from dd_jax.kernels.ridge import Ridge, solve
from dd_jax.networks import Network
from dd_jax.training import Model
from dd_jax.types import LabeledData, PyTree, UserError

_HIGHEST = jax.lax.Precision.HIGHEST
_HEAD = 'head'
_TOLERANCE = 10  # of conjugate gradients, in roundings of the dtype


class Tangent(NamedTuple):
  """A network linearised at its weights.

  Attributes:
    weights: all weights but the last layer's, at which it is linearised.
    forward: `(weights, image [n, h, w, c]) -> (features [n, d], logits
      [n, k])`.
  """

  weights: PyTree
  forward: Callable[[PyTree, jax.Array], tuple[jax.Array, jax.Array]]

  def at(
    self, image: jax.Array
  ) -> tuple[jax.Array, Callable[[PyTree], jax.Array]]:
    """`(features, delta -> J delta [n, k])` at `image [n, h, w, c]`."""
    run = lambda weights: self.forward(weights, image)
    (features, _), jvp = jax.linearize(run, self.weights)
    return features, lambda delta: jvp(delta)[1]

  def vjp(self, image: jax.Array, cotangent: jax.Array) -> PyTree:
    """`J^T cotangent` at `image`, for `cotangent [n, k]`."""
    run = lambda weights: self.forward(weights, image)[1]
    return jax.vjp(run, self.weights)[1](cotangent)[0]


def linearised(network: Network, model: Model) -> Tangent:
  """Linearises `model`, in evaluation mode, in all but its last layer.

  Raises:
    UserError: the network has no layer called `head`.
  """
  params = model.variables['params']
  if _HEAD not in params:
    raise UserError(
      f'network: rcig needs a last dense layer called {_HEAD!r}; this one has '
      f'{", ".join(params)}'
    )
  head = params[_HEAD]

  def forward(weights: PyTree, image: jax.Array) -> tuple:
    variables = {**model.variables, 'params': {**weights, _HEAD: head}}
    out = network.apply(variables, image)[0]
    return out.features, out.logits

  weights = {name: a for name, a in params.items() if name != _HEAD}
  return Tangent(weights, forward)


class InnerProblem(NamedTuple):
  """The inner problem of one support set and one network.

  Attributes:
    optimum: `(label [n, k]) -> delta`.
    inverse_hessian: `(g) -> (I + J_s^T M J_s)^-1 g`.
  """

  optimum: Callable[[jax.Array], PyTree]
  inverse_hessian: Callable[[PyTree], PyTree]


def inner_problem(
  tangent: Tangent, image: jax.Array, ridge: float, iterations: int
) -> InnerProblem:
  """The inner problem on support images `[n, h, w, c]`; not differentiable.

  Args:
    tangent: the network.
    image: support images.
    ridge: lambda.
    iterations: of conjugate gradients, at most.
  """
  features, jvp = tangent.at(image)
  vjp = lambda a: jax.linear_transpose(jvp, tangent.weights)(a)[0]
  kernel = jnp.matmul(features, features.T, precision=_HIGHEST)
  tolerance = _TOLERANCE * float(jnp.finfo(features.dtype).eps)

  def apply(a: jax.Array) -> jax.Array:
    last_layer = jnp.matmul(kernel, a, precision=_HIGHEST) + ridge * a
    return last_layer + jvp(vjp(a))

  def back(target: jax.Array) -> PyTree:
    return vjp(
      jax.scipy.sparse.linalg.cg(
        apply, target, tol=tolerance, maxiter=iterations
      )[0]
    )

  return InnerProblem(back, lambda g: optax.tree.sub(g, back(jvp(g))))


class Fit(NamedTuple):
  """The last layer, fitted on top of the tangent part.

  Attributes:
    features: of the support set, `[n, d]`.
    dual: `M (y_s - J_s delta)`, `[n, k]`.
    raised: how often lambda was raised.
    jvp: `delta -> J_s delta`.
  """

  features: jax.Array
  dual: jax.Array
  raised: jax.Array
  jvp: Callable[[PyTree], jax.Array]


def fit(
  tangent: Tangent, support: LabeledData, delta: PyTree, ridge: float
) -> Fit:
  """Fits the last layer; differentiable in `support` and `delta`."""
  features, jvp = tangent.at(support.image)
  kernel = jnp.matmul(features, features.T, precision=_HIGHEST)
  residual = support.label - jvp(delta)
  weights, raised = solve(kernel, residual, Ridge(ridge, 'absolute'))
  return Fit(features, weights, raised, jvp)
