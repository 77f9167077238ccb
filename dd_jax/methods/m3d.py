r"""M3D: minimised maximum mean discrepancy (arXiv 2312.15927).

.. math:: L = \sum_c | mean_{x \in T_c} \phi(\psi(A_c(x)))
                       - mean_{s \in S_c} \phi(\psi(A_c(s))) |^2

with :math:`\phi` the feature map of a sum of five Gaussian kernels.
"""

import jax
import optax

from dd_jax import losses
from dd_jax.checks import check_least, check_name
from dd_jax.distiller import Context, Distiller
from dd_jax.methods.distribution_matching import (
  SHARED_RECIPE,
  distribution_matching,
)
from dd_jax.methods.embeddings import Embedding
from dd_jax.methods.method import Method
from dd_jax.models import renewed
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.types import Augment


def m3d(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  augment: Augment | None = None,
  batch_size: int = 256,
  discrepancy: str = 'gaussian',
  frequencies: int = 4096,
  network_steps: int = 1,
) -> Distiller:
  """Every embedding counts, not only their mean.

  Args:
    parameterization: of the support set; the paper's is 2x2 tiles.
    network: untrained.
    optimizer: moves the support set.
    augment: siamese.
    batch_size: real images per class.
    discrepancy: 'gaussian' (the paper's five widths), 'fourier' (the same by
      random frequencies) or 'linear' (which is `dm`).
    frequencies: for 'fourier'.
    network_steps: outer steps for which one network is kept.

  Raises:
    UserError: a setting is unknown or out of range, and see
      `distribution_matching`.
  """
  discrepancies = {
    'gaussian': lambda key, x, y: losses.gaussian_discrepancy(x, y),
    'fourier': lambda key, x, y: losses.fourier_discrepancy(
      key, x, y, frequencies
    ),
    'linear': lambda key, x, y: losses.mean_discrepancy(x, y),
  }
  check_name('discrepancy', discrepancy, discrepancies)
  check_least(1, network_steps=network_steps, frequencies=frequencies)

  def distance(
    real: Embedding, synthetic: Embedding, context: Context
  ) -> jax.Array:
    keys = jax.random.split(context.key, len(real.each))
    of_class = discrepancies[discrepancy]
    return jax.vmap(of_class)(keys, real.each, synthetic.each).sum()

  return distribution_matching(
    parameterization,
    network,
    optimizer,
    embed=lambda out: Embedding(each=out.features),
    distance=distance,
    models=renewed(
      network, optax.identity(), lambda model: model.age >= network_steps
    ),
    augment=augment,
    batch_size=batch_size,
  )


RECIPE = {
  **SHARED_RECIPE,
  'augment': 'color_crop_cutout',
  'evaluation': {'protocol': 'idc', 'features': 'network'},
}
"""As published (arXiv 2312.15927), where it says so."""

METHOD = Method(m3d, RECIPE, 'kernel mean discrepancy (arXiv 2312.15927)')
