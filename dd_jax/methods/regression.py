"""What a kernel regression's predictions are held to: one of two losses.

'squared_error' is KIP's, with centred targets. 'cross_entropy' is RFAD's (arXiv
2210.12067): of the predictions times a learned (Platt) scale, so that a set may
say which class is likelier without having to say by how much.
"""

import math

import jax
import jax.numpy as jnp

from dd_jax.checks import check_name
from dd_jax.data.labels import LabelEncoding
from dd_jax.losses import accuracy, soft_cross_entropy, squared_error
from dd_jax.types import Metrics, PyTree

CENTRED = LabelEncoding('centred')
SCALE_RATE = 1e-2  # AdaBelief's, of the logarithm
_LOSSES = ('squared_error', 'cross_entropy')


def learned_scale(loss: str, start: float = 1.0) -> PyTree:
  """What a loss learns besides the set: `{}` or its scale's logarithm.

  Args:
    loss: 'squared_error' or 'cross_entropy'.
    start: of the scale.

  Raises:
    UserError: there is no such loss.
  """
  check_name('loss', loss, _LOSSES)
  if loss == 'squared_error':
    return {}
  return {'log_scale': jnp.asarray(math.log(start))}


def regression_loss(
  learned: PyTree, prediction: jax.Array, one_hot: jax.Array
) -> tuple[jax.Array, Metrics]:
  """The mean loss of a batch, by what `learned_scale` gave.

  Args:
    learned: the logarithm of the scale under `log_scale`; without it the loss
      is half the squared error, averaged over classes too.
    prediction: `[n, k]`.
    one_hot: `[n, k]`.

  Returns:
    `(loss, metrics)`, both scalars.
  """
  metrics = {'batch_accuracy': accuracy(prediction, one_hot)}
  if 'log_scale' in learned:
    scale = jnp.exp(learned['log_scale'])
    each = soft_cross_entropy(scale * prediction, one_hot)
    return jnp.mean(each), {**metrics, 'temperature': scale}
  each = squared_error(prediction, CENTRED.encode(one_hot))
  return jnp.mean(each) / one_hot.shape[-1], metrics
