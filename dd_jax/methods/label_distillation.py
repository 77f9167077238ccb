r"""LD: labels distilled through a step of gradient descent (arXiv 2006.08572).

.. math:: \min_Y L(\theta - \eta \nabla_\theta l(\theta; X, Y))

for real images :math:`X` that stay what they are and a network
:math:`\theta` that is trained on the labels meanwhile (`label_learning`).
"""

import jax
import optax

from dd_jax.checks import check_positive
from dd_jax.distiller import Distiller
from dd_jax.losses import soft_cross_entropy
from dd_jax.methods.inner_loop import real_loss
from dd_jax.methods.label_learning import (
  SHARED_RECIPE,
  label_learning,
  unweighted,
)
from dd_jax.methods.method import Method
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.training import Model, train_step
from dd_jax.types import LabeledData, Metrics, PyTree


def label_distillation(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  batch_size: int = 1024,
  inner_batch_size: int = 50,
  inner_step_size: float = 0.01,
  inner_optimizer: optax.GradientTransformation | None = None,
  gap: int = 50,
) -> Distiller:
  """Label distillation through one step of gradient descent.

  Args:
    parameterization: gives images and labels; made to learn labels only.
    network: the learner.
    optimizer: of the labels; the paper's is Adam at 1e-3.
    batch_size: real images of the outer loss.
    inner_batch_size: support images in one inner step, at most.
    inner_step_size: of the step that is differentiated.
    inner_optimizer: trains the network in use; the paper's, and the default, is
      Adam at 1e-3.
    gap: steps of the moving average, and without progress, that end a network.

  Raises:
    UserError: a setting out of range.
  """
  check_positive(inner_step_size=inner_step_size)
  sgd = optax.sgd(inner_step_size)

  def outer(
    extra: PyTree, model: Model, support: LabeledData, real: LabeledData
  ) -> tuple[jax.Array, Metrics]:
    del extra
    model = model._replace(opt_state=sgd.init(model.variables['params']))
    moved = train_step(
      network, sgd, soft_cross_entropy, model, unweighted(support)
    )
    return real_loss(network, moved.variables, real)

  return label_learning(
    parameterization,
    network,
    optimizer,
    outer,
    batch_size=batch_size,
    inner_batch_size=inner_batch_size,
    inner_optimizer=inner_optimizer,
    gap=gap,
  )


RECIPE = SHARED_RECIPE
"""The published settings for MNIST."""

METHOD = Method(
  label_distillation,
  RECIPE,
  'real images, labels learned by one step (arXiv 2006.08572)',
)
