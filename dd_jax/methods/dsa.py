r"""DSA: gradient matching under differentiable siamese augmentation.

.. math:: \sum_c D(\nabla_\theta \ell(\theta; A_{\omega_c}(S_c)),
  \nabla_\theta \ell(\theta; A_{\omega_c}(T_c)))

with one draw :math:`\omega_c` for the support and the real images of a class
(Zhao and Bilen, arXiv 2102.08259).
"""

import functools

from dd_jax import augment
from dd_jax.methods.gradient_matching import SHARED_RECIPE, gradient_matching
from dd_jax.methods.method import Method

dsa = functools.partial(
  gradient_matching,
  augment=augment.dsa(),
  inner_augment=augment.dsa(siamese=False),
)
"""`gradient_matching` under augmentation.

One draw for a class's real and support images; one of its own for each support
image that the network trains on.
"""

RECIPE = {
  **SHARED_RECIPE,
  'augment': augment.DSA,
  'num_steps': 1000,
  'validate_every': 500,
  'evaluation': {'protocol': 'dsa', 'features': 'network'},
}
"""The published settings at 1 image per class."""

METHOD = Method(
  dsa,
  RECIPE,
  'gradient matching under siamese augmentation (arXiv 2102.08259)',
)
