r"""DCC: the gradients that are matched are averaged over classes.

.. math:: D(\tfrac{1}{k} \sum_c \nabla_\theta \ell(\theta; S_c),
  \tfrac{1}{k} \sum_c \nabla_\theta \ell(\theta; T_c))

so that they carry what tells classes apart, contrastive signals (Lee et al.,
arXiv 2202.02916).
"""

import functools

from dd_jax.methods.gradient_matching import SHARED_RECIPE, gradient_matching
from dd_jax.methods.method import Method

dcc = functools.partial(
  gradient_matching, level='sum', table='dcc', warm_up=250, inner_warm_up=10
)
"""`gradient_matching` of gradients averaged over classes.

The first 250 networks are matched class by class until they are 10 steps old;
at 1 image per class the loops are others.
"""

RECIPE = {
  **SHARED_RECIPE,
  'num_steps': 10_000,
  'validate_every': 1000,
  'evaluation': {'protocol': 'dsa', 'features': 'network'},
}
"""The published settings at 1 image per class."""

METHOD = Method(
  dcc, RECIPE, 'gradients averaged over classes are matched (arXiv 2202.02916)'
)
