r"""DM: distribution matching by mean embeddings (arXiv 2110.04181).

.. math:: L = \sum_c | mean_{x \in T_c} \psi(A_c(x))
                       - mean_{s \in S_c} \psi(A_c(s)) |^2
"""

import optax

from dd_jax.distiller import Distiller
from dd_jax.losses import squared_gap
from dd_jax.methods.distribution_matching import (
  SHARED_RECIPE,
  distribution_matching,
)
from dd_jax.methods.embeddings import Embedding
from dd_jax.methods.method import Method
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.types import Augment


def dm(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  augment: Augment | None = None,
  batch_size: int = 256,
) -> Distiller:
  """Fresh networks; mean embeddings.

  Args:
    parameterization: of the support set; labels stay what they are.
    network: drawn anew each step; the embedding is the last layer's input.
    optimizer: the paper's is SGD at 1, momentum 0.5.
    augment: the paper's is `augment.dsa`.
    batch_size: real images per class.

  Raises:
    UserError: see `distribution_matching`.
  """
  return distribution_matching(
    parameterization,
    network,
    optimizer,
    embed=lambda out: Embedding(out.features),
    distance=lambda real, synthetic, _: squared_gap(real.mean, synthetic.mean),
    augment=augment,
    batch_size=batch_size,
  )


RECIPE = SHARED_RECIPE
"""The published settings (arXiv 2110.04181)."""

METHOD = Method(dm, RECIPE, 'distribution matching (arXiv 2110.04181)')
