"""RCIG's bilevel problem: a loss on real images at an inner optimum.

The support set is what `convexified.inner_problem` fits, a batch of real images
what the outcome is judged by (arXiv 2302.06755).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from dd_jax.derivatives import held
from dd_jax.distiller import Context, Learned
from dd_jax.losses import accuracy, label_margin, soft_cross_entropy
from dd_jax.methods.convexified import (
  Fit,
  InnerProblem,
  Tangent,
  fit,
  inner_problem,
  linearised,
)
from dd_jax.methods.frepo import with_flips
from dd_jax.networks import Network
from dd_jax.training import map_chunks
from dd_jax.types import LabeledData, Metrics, PyTree

_HIGHEST = jax.lax.Precision.HIGHEST
_MARGIN_CAP = 0.5


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
  inner: InnerProblem
  delta: PyTree
  targets: Targets


class BilevelProblem(NamedTuple):
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
    """`fit` on what the inner problem is given."""
    return fit(tangent, self.support(data), delta, self.penalty(data))

  def support(self, data: LabeledData) -> LabeledData:
    """What the inner problem is given of the support set."""
    return with_flips(data) if self.flip else data

  def penalty(self, data: LabeledData) -> float:
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
    """Solves the inner problem."""
    assert context.model is not None
    tangent = linearised(self.network, context.model)
    support = self.support(learned.data)
    inner = inner_problem(
      tangent, support.image, self.penalty(learned.data), self.iterations
    )
    delta = inner.optimum(support.label)

    def both(image: jax.Array) -> tuple[jax.Array, jax.Array]:
      features, jvp = tangent.at(image)
      return features, jvp(delta)

    features, logits = map_chunks(
      both, batch.image, self.network.runs_on.pass_examples
    )
    targets = Targets(features, logits, batch.label)
    return Optimum(tangent, inner, delta, targets)

  def loss(
    self, learned: Learned, batch: LabeledData, context: Context
  ) -> tuple[jax.Array, Metrics]:
    """The outer loss at the inner optimum."""
    fixed = learned._replace(data=held(learned.data))
    best = self.optimum(fixed, batch, context)
    return self.outer(best.tangent, learned, best.delta, best.targets)
