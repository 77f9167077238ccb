r"""LD-RR: labels distilled through a ridge regression (arXiv 2006.08572).

.. math:: \min_Y L(s F_t W), \qquad W = F^T (F F^T + \lambda I)^{-1} Y,

for the features :math:`F` that a network, trained on the labels meanwhile
(`label_learning`), has of real images; with no second derivative anywhere.
"""

import jax
import jax.numpy as jnp
import optax

from dd_jax.checks import check_positive
from dd_jax.distiller import Distiller
from dd_jax.losses import accuracy, soft_cross_entropy
from dd_jax.methods.label_learning import SHARED_RECIPE, label_learning
from dd_jax.methods.method import Method
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.training import Model, map_chunks
from dd_jax.types import LabeledData, Metrics, PyTree

_HIGHEST = jax.lax.Precision.HIGHEST


def label_distillation_ridge(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  batch_size: int = 1024,
  inner_batch_size: int = 50,
  ridge: float = 1.0,
  scale_rate: float = 0.01,
  inner_optimizer: optax.GradientTransformation | None = None,
  gap: int = 50,
) -> Distiller:
  """Label distillation through a ridge regression on the network's features.

  The regression's logits are multiplied by a learned number. The network itself
  is trained with its own last layer, so that any learner can use the labels.

  The other arguments are those of `label_distillation`.

  Args:
    ridge: lambda, absolute.
    scale_rate: rate of Adam for the number, which starts at 1.

  Raises:
    UserError: a setting out of range.
  """
  check_positive(ridge=ridge)

  def features(model: Model, image: jax.Array) -> jax.Array:
    phi = network.apply(model.variables, image)[0].features
    return jnp.concatenate([phi, jnp.ones_like(phi[:, :1])], 1)

  def outer(
    extra: PyTree, model: Model, support: LabeledData, real: LabeledData
  ) -> tuple[jax.Array, Metrics]:
    phi = features(model, support.image)
    seen = map_chunks(
      lambda image: features(model, image),
      real.image,
      network.runs_on.pass_examples,
    )
    gram = jnp.matmul(phi, phi.T, precision=_HIGHEST)
    gram = gram + ridge * jnp.eye(len(gram), dtype=gram.dtype)
    dual = jax.scipy.linalg.solve(gram, support.label, assume_a='pos')
    cross = jnp.matmul(seen, phi.T, precision=_HIGHEST)
    logits = extra['scale'] * jnp.matmul(cross, dual, precision=_HIGHEST)
    value = jnp.mean(soft_cross_entropy(logits, real.label))
    metrics = {'batch_accuracy': accuracy(logits, real.label)}
    return value, {**metrics, 'scale': extra['scale']}

  return label_learning(
    parameterization,
    network,
    optimizer,
    outer,
    batch_size=batch_size,
    inner_batch_size=inner_batch_size,
    inner_optimizer=inner_optimizer,
    gap=gap,
    extra={'scale': 1.0},
    extra_optimizer=optax.adam(scale_rate),
  )


RECIPE = SHARED_RECIPE
"""The published settings for MNIST."""

METHOD = Method(
  label_distillation_ridge,
  RECIPE,
  'real images, labels learned by ridge regression (arXiv 2006.08572)',
)
