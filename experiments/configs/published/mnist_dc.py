r"""DC on MNIST as published.

    python -m experiments.distill \
        --config=experiments/configs/published/mnist_dc.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: 91.7 / 97.4 / 98.8.
Source: arXiv 2006.05929.
Cost at 1 / 10 / 50 images per class: about 0.8 / 22 / 130 PFLOP, for 1,000
networks of width 128 and 2,560 real images an outer step.
"""

from ml_collections import ConfigDict

from dd_jax import recipe
from dd_jax.methods.gradient_matching import loops


def get_config(ipc: int = 10) -> ConfigDict:
  outer_steps, _ = loops(ipc)
  changes = {
    'dataset': 'mnist',
    'ipc': ipc,
    'num_steps': 1000 * outer_steps,
    'validate_every': 100 * outer_steps,
  }
  return ConfigDict(recipe.update(recipe.default('dc'), changes))
