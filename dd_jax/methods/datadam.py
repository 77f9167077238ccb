r"""DataDAM: attention matching (arXiv 2310.00093).

.. math:: L = \sum_c \lambda_a \sum_l | \bar a_l(T_c) - \bar a_l(S_c) |^2
              + \lambda_e | \bar \psi(T_c) - \bar \psi(S_c) |^2

with :math:`\bar a_l` the mean attention map of block `l`, of every block but
the last, and :math:`\bar \psi` the mean embedding.
"""

import jax
import jax.numpy as jnp
import optax

from dd_jax.checks import check_least
from dd_jax.data.source import Source
from dd_jax.distiller import Context, Distiller, State
from dd_jax.losses import attention_map, squared_gap
from dd_jax.methods.distribution_matching import (
  SHARED_RECIPE,
  distribution_matching,
)
from dd_jax.methods.embeddings import Embedding
from dd_jax.methods.method import Method
from dd_jax.networks import Network, Outputs
from dd_jax.parameterization.base import Parameterization
from dd_jax.types import Augment, Key, UserError


def datadam(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  augment: Augment | None = None,
  batch_size: int = 256,
  power: int = 4,
  attention_weight: float = 100.0,
  embedding_weight: float = 1.0,
) -> Distiller:
  """Fresh networks; mean attention maps and mean embeddings.

  Args:
    parameterization: of the support set.
    network: drawn anew each step; with two blocks or more.
    optimizer: the paper's is SGD at 1, momentum 0.5.
    augment: siamese.
    batch_size: real images per class.
    power: of the activations in a map; 4 in the paper, 1 in its code.
    attention_weight: of the maps' distance.
    embedding_weight: of the embeddings' distance: 100 times the paper's 0.01.

  Raises:
    UserError: for a power below 1 or, when the state is made, a network of one
      block; and see `distribution_matching`.
  """
  check_least(1, power=power)

  def embed(out: Outputs) -> Embedding:
    maps = [attention_map(tap, power) for tap in early_maps(out)]
    return Embedding({'attention': maps, 'embedding': out.features})

  def distance(
    real: Embedding, synthetic: Embedding, context: Context
  ) -> jax.Array:
    del context
    gaps = jax.tree.map(squared_gap, real.mean, synthetic.mean)
    total = attention_weight * sum(gaps['attention'])
    return total + embedding_weight * gaps['embedding']

  base = distribution_matching(
    parameterization,
    network,
    optimizer,
    embed=embed,
    distance=distance,
    augment=augment,
    batch_size=batch_size,
  )

  def init(key: Key, source: Source) -> State:
    if not early_maps(outputs_shape(network, source)):
      raise UserError(
        'network: has no map before its last; datadam needs a convolutional '
        'network with two blocks or more'
      )
    return base.init(key, source)

  return base._replace(init=init)


def outputs_shape(network: Network, source: Source) -> Outputs:
  """Shapes of what the network gives for one image."""
  image = jax.ShapeDtypeStruct((1, *source.image_shape), jnp.float32)

  def run(key: Key, image: jax.Array) -> Outputs:
    return network.apply(network.init(key), image)[0]

  return jax.eval_shape(run, jax.random.key(0), image)


def early_maps(out: Outputs) -> list[jax.Array]:
  """The blocks' spatial activations before the last block's.

  The last tap is the last block's after pooling: it and the one before are one
  block.
  """
  return [tap for tap in out.taps[:-2] if len(tap.shape) == 4]


RECIPE = {**SHARED_RECIPE, 'num_steps': 8000}
"""As published (arXiv 2310.00093)."""

METHOD = Method(datadam, RECIPE, 'attention matching (arXiv 2310.00093)')
