r"""RCIG: implicit gradients of a convexified inner problem (arXiv 2302.06755).

A network of the pool is linearised at its weights: with features :math:`h`,
the tangent map :math:`J` of its logits in all weights but the last layer's, and
that last layer fitted in closed form, its prediction is

.. math:: P_t = J_t \delta + h_t h_s^T M (y_s - J_s \delta), \qquad
  M = (h_s h_s^T + \lambda I)^{-1},

and the inner problem, convex, is

.. math:: \delta^* = \arg\min_\delta \tfrac12 r^T M r + \tfrac12 |\delta|^2,
  \qquad r = y_s - J_s \delta.

The support set's gradient is the direct one, with :math:`\delta^*` held fixed,
and the implicit one, :math:`\nabla_s \langle J_s v, M r \rangle` with
:math:`v = (I + J_s^T M J_s)^{-1} \nabla_\delta L`.

The paper takes 20 steps of Adam, with a step size that it tunes on the way, for
:math:`\delta^*` and again for :math:`v`. Both are linear systems; here both are
solved by conjugate gradients in the dual,

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

from dd_jax.checks import check_least
from dd_jax.data import sampling
from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import Source
from dd_jax.distiller import (
  Context,
  Decode,
  Distiller,
  Learned,
  Loss,
  from_loss,
)
from dd_jax.kernels.ridge import Ridge, solve
from dd_jax.losses import accuracy, label_margin, soft_cross_entropy
from dd_jax.methods.frepo import with_flips
from dd_jax.methods.pooled import pooled
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.training import Model, map_chunks, sum_chunks
from dd_jax.types import Key, LabeledData, Metrics, PyTree, UserError

_HIGHEST = jax.lax.Precision.HIGHEST
_CENTRED = LabelEncoding('centred')
_HEAD = 'head'
_TOLERANCE = 10  # of conjugate gradients, in roundings of the dtype
_MARGIN_CAP = 0.5


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
    (features, _), push = jax.linearize(run, self.weights)
    return features, lambda delta: push(delta)[1]

  def pull(self, image: jax.Array, cotangent: jax.Array) -> PyTree:
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


class Inner(NamedTuple):
  """The inner problem of one support set and one network.

  Attributes:
    optimum: `(label [n, k]) -> delta`.
    inverse_hessian: `(g) -> (I + J_s^T M J_s)^-1 g`.
  """

  optimum: Callable[[jax.Array], PyTree]
  inverse_hessian: Callable[[PyTree], PyTree]


def inner_problem(
  tangent: Tangent, image: jax.Array, ridge: float, iterations: int
) -> Inner:
  """The inner problem on support images `[n, h, w, c]`; not differentiable.

  Args:
    tangent: the network.
    image: support images.
    ridge: lambda.
    iterations: of conjugate gradients, at most.
  """
  features, push = tangent.at(image)
  pull = lambda a: jax.linear_transpose(push, tangent.weights)(a)[0]
  kernel = jnp.matmul(features, features.T, precision=_HIGHEST)
  tolerance = _TOLERANCE * float(jnp.finfo(features.dtype).eps)

  def apply(a: jax.Array) -> jax.Array:
    last_layer = jnp.matmul(kernel, a, precision=_HIGHEST) + ridge * a
    return last_layer + push(pull(a))

  def back(target: jax.Array) -> PyTree:
    return pull(
      jax.scipy.sparse.linalg.cg(
        apply, target, tol=tolerance, maxiter=iterations
      )[0]
    )

  return Inner(back, lambda g: optax.tree.sub(g, back(push(g))))


class Fit(NamedTuple):
  """The last layer, fitted on top of the tangent part.

  Attributes:
    features: of the support set, `[n, d]`.
    dual: `M (y_s - J_s delta)`, `[n, k]`.
    raised: how often lambda was raised.
    push: `delta -> J_s delta`.
  """

  features: jax.Array
  dual: jax.Array
  raised: jax.Array
  push: Callable[[PyTree], jax.Array]


def fit(
  tangent: Tangent, support: LabeledData, delta: PyTree, ridge: float
) -> Fit:
  """Fits the last layer; differentiable in `support` and `delta`."""
  features, push = tangent.at(support.image)
  kernel = jnp.matmul(features, features.T, precision=_HIGHEST)
  residual = support.label - push(delta)
  weights, raised = solve(kernel, residual, Ridge(ridge, 'absolute'))
  return Fit(features, weights, raised, push)


class Targets(NamedTuple):
  """What the target batch is to a linearised network.

  Attributes:
    features: `[t, d]`.
    logits: `J_t delta`, `[t, k]`.
    label: one-hot, `[t, k]`.
  """

  features: jax.Array
  logits: jax.Array
  label: jax.Array


class Optimum(NamedTuple):
  """The inner optimum and what the outer loss needs of it.

  Attributes:
    tangent: the linearised network.
    inner: the problem solved.
    delta: its solution.
    targets: the target batch.
  """

  tangent: Tangent
  inner: Inner
  delta: PyTree
  targets: Targets


class Problem(NamedTuple):
  """What RCIG minimises, for any support set, batch and network.

  Attributes:
    network: the pool's learner.
    ridge: lambda over the number of support images.
    flip: adds the support set's mirror images to the inner problem.
    margin: weight of the label-margin term.
    iterations: of conjugate gradients.
  """

  network: Network
  ridge: float
  flip: bool
  margin: float
  iterations: int

  def fit(self, tangent: Tangent, data: LabeledData, delta: PyTree) -> Fit:
    """`fit` on what the inner problem is shown of the support set."""
    return fit(tangent, self.shown(data), delta, self.strength(data))

  def shown(self, data: LabeledData) -> LabeledData:
    """The images of the inner problem."""
    return with_flips(data) if self.flip else data

  def strength(self, data: LabeledData) -> float:
    """Lambda; mirror images do not count."""
    return self.ridge * data.image.shape[0]

  def outer(
    self, tangent: Tangent, learned: Learned, delta: PyTree, targets: Targets
  ) -> tuple[jax.Array, Metrics]:
    """The outer loss at any `delta`."""
    fitted = self.fit(tangent, learned.data, delta)
    last_layer = jnp.matmul(fitted.features.T, fitted.dual, precision=_HIGHEST)
    prediction = targets.logits + jnp.matmul(
      targets.features, last_layer, precision=_HIGHEST
    )
    scale = jnp.exp(learned.extra['log_scale'])
    error = jnp.mean(soft_cross_entropy(scale * prediction, targets.label))
    gap = label_margin(learned.data.label, _MARGIN_CAP)
    metrics = {
      'batch_accuracy': accuracy(prediction, targets.label),
      'label_margin': -gap,
      'ridge_raised': fitted.raised,
    }
    return error + self.margin * gap, metrics

  def optimum(
    self, learned: Learned, batch: LabeledData, context: Context
  ) -> Optimum:
    """Solves the inner problem; nothing of it is differentiated."""
    assert context.model is not None
    tangent = linearised(self.network, context.model)
    support = jax.lax.stop_gradient(self.shown(learned.data))
    inner = inner_problem(
      tangent, support.image, self.strength(learned.data), self.iterations
    )
    delta = inner.optimum(support.label)

    def both(image: jax.Array) -> tuple[jax.Array, jax.Array]:
      features, push = tangent.at(image)
      return features, push(delta)

    features, logits = map_chunks(both, batch.image)
    targets = Targets(features, logits, batch.label)
    return Optimum(tangent, inner, delta, targets)

  def loss(
    self, learned: Learned, batch: LabeledData, context: Context
  ) -> tuple[jax.Array, Metrics]:
    """The outer loss at the inner optimum."""
    best = self.optimum(learned, batch, context)
    return self.outer(best.tangent, learned, best.delta, best.targets)

  def gradients(
    self,
    decode: Decode,
    params: PyTree,
    batch: LabeledData,
    context: Context,
  ) -> tuple[tuple[jax.Array, Metrics], PyTree, PyTree]:
    """`((value, metrics), direct gradient, implicit gradient)`."""
    tangent, inner, delta, targets = self.optimum(
      decode(params), batch, context
    )

    def outer(
      params: PyTree, delta: PyTree, logits: jax.Array
    ) -> tuple[jax.Array, Metrics]:
      seen = targets._replace(logits=logits)
      return self.outer(tangent, decode(params), delta, seen)

    differentiate = jax.value_and_grad(outer, (0, 1, 2), has_aux=True)
    found, (direct, g, cotangent) = differentiate(params, delta, targets.logits)
    through_targets = sum_chunks(
      lambda x: tangent.pull(*x), (batch.image, cotangent)
    )
    v = inner.inverse_hessian(optax.tree.add(g, through_targets))

    def pairing(params: PyTree) -> jax.Array:
      fitted = self.fit(tangent, decode(params).data, delta)
      return jnp.vdot(fitted.push(v), fitted.dual)

    return found, direct, jax.grad(pairing)(params)


def rcig(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  batch_size: int = 1024,
  ridge: Ridge = Ridge(5e-4, 'absolute'),
  flip: bool = False,
  margin: float = 1.0,
  iterations: int = 20,
  implicit: float = 1.0,
  average: float = 0.99,
  temperature_rate: float = 0.03,
  pool_size: int = 30,
  max_age: int = 100,
  inner_optimizer: optax.GradientTransformation | None = None,
  inner_batch_size: int = 1000,
  inner_steps: int = 15,
) -> Distiller:
  """Reparameterised convexified implicit gradients.

  Args:
    parameterization: of the support set; labels centred.
    network: the pool's learner; its last dense layer is called `head`.
    optimizer: the paper's is AdaBelief at 3e-3.
    batch_size: real images a step.
    ridge: lambda is this times the number of support images.
    flip: adds the support set's mirror images to the inner problem.
    margin: weight of the label-margin term.
    iterations: of conjugate gradients for each of the two linear systems.
    implicit: the implicit gradient of what is learned is scaled down to this
      many times the norm of the direct one, where it is larger; 0 for none.
    average: decay of the moving average of the support set that is returned.
    temperature_rate: step size of AdaBelief for the logarithm of the logits'
      learned scale, which starts at 0.
    pool_size: members.
    max_age: steps after which a member is replaced.
    inner_optimizer: trains members; the paper's, and the default, is Adam at
      5e-5.
    inner_batch_size: support images in one inner step, at most.
    inner_steps: the network in use takes 1 to this many after an outer step.

  Raises:
    UserError: a number out of range.
  """
  _check(iterations, average)
  problem = Problem(network, ridge.value, flip, margin, iterations)

  def gradient(
    loss: Loss,
    decode: Decode,
    params: PyTree,
    batch: LabeledData,
    context: Context,
  ) -> tuple[tuple[jax.Array, Metrics], PyTree]:
    del loss  # the same, in the pieces that both gradients need
    (value, metrics), direct, indirect = problem.gradients(
      decode, params, batch, context
    )
    change, share = _combined(direct, indirect, implicit)
    assert context.model is not None
    age = context.model.age
    metrics = {**metrics, 'implicit_share': share, 'model_age': age}
    return (value, metrics), change

  def sample(key: Key, step: jax.Array, source: Source) -> LabeledData:
    del step
    return sampling.uniform(key, source, batch_size)

  members = pooled(
    network,
    inner_optimizer or optax.adam(5e-5),
    size=pool_size,
    max_age=max_age,
    batch_size=inner_batch_size,
    steps=(1, inner_steps),
  )
  return members.aged(
    from_loss(
      parameterization,
      optimizer,
      problem.loss,
      sample=sample,
      extra={'log_scale': jnp.zeros(())},
      extra_optimizer=optax.adabelief(temperature_rate),
      models=members.models,
      advance=members.advance,
      average=average,
      gradient=gradient,
    )
  )


def _combined(
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


def _check(iterations: int, average: float) -> None:
  check_least(1, iterations=iterations)
  if not 0 <= average < 1:
    raise UserError(f'average={average}: allowed are 0 to below 1')


RECIPE = {
  'preprocessing': 'frepo',
  'label_encoding': 'centred',
  'parameterization': {'labels': 'free'},
  'network': {
    'name': 'frepo_convnet',
    'width': 128,
    'norm': 'none',
    'sharpness': 60.0,
  },
  'optimizer': {'name': 'adabelief', 'learning_rate': 3e-3},
  'inner_optimizer': {'name': 'adam', 'learning_rate': 5e-5},
  'num_steps': 10_000,
  'validate_every': 1000,
  'evaluation': {'protocol': 'frepo', 'features': 'network'},
}
"""The published settings (arXiv 2302.06755)."""
