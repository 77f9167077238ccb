r"""DC, dataset condensation: gradient matching class by class.

.. math:: \sum_c D(\nabla_\theta \ell(\theta; S_c),
  \nabla_\theta \ell(\theta; T_c))

with `D` the sum over layers and output channels of one minus the cosine (Zhao
et al., arXiv 2006.05929).
"""

from dd_jax.methods.gradient_matching import SHARED_RECIPE, gradient_matching
from dd_jax.methods.method import Method

dc = gradient_matching
"""`gradient_matching` with its own defaults: class by class, no augmentation.
"""

RECIPE = {
  **SHARED_RECIPE,
  'parameterization': {'labels': 'fixed', 'start': 'noise'},
  'num_steps': 1000,
  'validate_every': 500,
}
"""The published settings at 1 image per class."""

METHOD = Method(dc, RECIPE, 'gradient matching (arXiv 2006.05929)')
