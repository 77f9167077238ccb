"""A method in one file: random networks see the same moments in both sets."""

import jax
import jax.numpy as jnp
import optax

from dd_jax import Distiller, from_loss, register
from dd_jax.data import sampling
from dd_jax.data.source import Source
from dd_jax.distiller import Context, Learned
from dd_jax.models import fresh
from dd_jax.networks import Network
from dd_jax.parameterization import Parameterization
from dd_jax.types import Key, LabeledData, Metrics, UserError


def moments(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  batch_size: int = 64,
  spread: float = 1.0,
) -> Distiller:
  """Mean and variance of a class's features, under a fresh network each step.

  Args:
    parameterization: of the support set, class by class.
    network: the learner; the features are its last layer's input.
    optimizer: moves the parameterization's params.
    batch_size: real images per class.
    spread: weight of the variance beside the mean.

  Raises:
    UserError: a batch without images.
  """
  if batch_size < 1:
    raise UserError(f'batch_size={batch_size}: allowed are 1 and more')

  def loss(
    learned: Learned, batch: LabeledData, context: Context
  ) -> tuple[jax.Array, Metrics]:
    def look(image: jax.Array) -> jax.Array:  # [k, n, ...] to [2, k, d]
      flat = image.reshape(-1, *image.shape[2:])
      out, _ = network.apply(context.model.variables, flat)
      seen = out.features.reshape(*image.shape[:2], -1)
      return jnp.stack([seen.mean(1), spread * seen.var(1)])

    real = batch.image.swapaxes(0, 1)  # drawn as [n, k, h, w, c]
    own = learned.data.image.reshape(len(real), -1, *real.shape[2:])
    return jnp.sum((look(real) - look(own)) ** 2), {}

  def sample(key: Key, step: jax.Array, source: Source) -> LabeledData:
    del step
    return sampling.per_class(key, source, batch_size)

  networks = fresh(network, optax.identity())
  return from_loss(
    parameterization, optimizer, loss, sample=sample, models=networks
  )


register.method(
  'moments',
  moments,
  recipe={
    'num_steps': 1000,
    'optimizer': {'name': 'adam', 'learning_rate': 0.01},
    'parameterization': {'labels': 'fixed'},
  },
  summary='mean and variance of random features',
)
