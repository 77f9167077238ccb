r"""KIP: kernel inducing points.

Nguyen, Chen, Lee (arXiv 2011.00050): the support set minimises

.. math:: \tfrac12 \| y_t - K_{ts}(K_{ss} + \lambda I)^{-1} y_s \|^2

over target batches, with an infinite-width kernel.
"""

import jax
import optax

from dd_jax.data import sampling
from dd_jax.distiller import Context, Distiller, Learned, from_loss
from dd_jax.kernels.ridge import Ridge, predict
from dd_jax.methods.method import Method
from dd_jax.methods.regression import (
  SCALE_RATE,
  learned_scale,
  regression_loss,
)
from dd_jax.parameterization.base import Parameterization
from dd_jax.types import (
  Augment,
  Kernel,
  LabeledData,
  Metrics,
)

_FIRST_SCALE = 10.0  # where RFAD's, which starts at 1, ends on ten classes


def kip(
  parameterization: Parameterization,
  kernel: Kernel,
  optimizer: optax.GradientTransformation,
  *,
  batch_size: int = 5000,
  ridge: Ridge = Ridge(1e-6, 'trace'),
  loss: str = 'squared_error',
  target_augment: Augment | None = None,
) -> Distiller:
  """Kernel inducing points.

  Args:
    parameterization: of the support set; labels in centred encoding.
    kernel: `(x1, x2 or None) -> K`.
    optimizer: the paper's is Adam at 4e-2.
    batch_size: real images a step, the same number of every class.
    ridge: the paper's is 1e-6 of the mean diagonal.
    loss: 'squared_error', or RFAD's 'cross_entropy' of the predictions times a
      learned scale.
    target_augment: applied to the real images, each with its own draw.

  Raises:
    UserError: an unknown loss.
  """

  def objective(
    learned: Learned, batch: LabeledData, context: Context
  ) -> tuple[jax.Array, Metrics]:
    image = batch.image
    if target_augment:
      image = target_augment(context.key, image)
    support = learned.data
    prediction, raised = predict(
      kernel(support.image, None),
      kernel(image, support.image),
      support.label,
      ridge,
    )
    value, metrics = regression_loss(learned.extra, prediction, batch.label)
    return value, {**metrics, 'ridge_raised': raised}

  return from_loss(
    parameterization,
    optimizer,
    objective,
    sample=sampling.each_step(sampling.class_balanced, batch_size),
    extra=learned_scale(loss, _FIRST_SCALE),
    extra_optimizer=optax.adabelief(SCALE_RATE),
  )


RECIPE = {
  'label_encoding': 'centred',
  'parameterization': {'labels': 'free'},
  'optimizer': {'name': 'adam', 'learning_rate': 4e-2},
  'num_steps': 2000,
  'validate_every': 100,
  'evaluation': {'protocol': 'krr-ntk'},
}
"""KIP's settings for fully connected kernels (arXiv 2011.00050)."""

METHOD = Method(kip, RECIPE, 'kernel inducing points (arXiv 2011.00050)')
