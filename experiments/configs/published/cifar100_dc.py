r"""DC on CIFAR-100 as published.

    python -m experiments.distill \
        --config=experiments/configs/published/cifar100_dc.py:10

Published accuracy, percent: 12.8 / 25.2 at 1 / 10 images per class.
Source: arXiv 2006.05929.
Cost at 1 / 10 / 50 images per class: about 7.7 / 220 / 1,300 PFLOP, for 1,000
networks of width 128 and 25,600 real images an outer step.
"""

from ml_collections import ConfigDict

from dd_jax import recipe
from dd_jax.methods.gradient_matching import loops


def get_config(ipc: int = 10) -> ConfigDict:
  outer_steps, _ = loops(ipc)
  changes = {
    'dataset': 'cifar100',
    'ipc': ipc,
    'num_steps': 1000 * outer_steps,
    'validate_every': 100 * outer_steps,
  }
  return ConfigDict(recipe.update(recipe.default('dc'), changes))
