r"""DSA on Fashion-MNIST as published.

    python -m experiments.distill \
        --config=experiments/configs/published/fashion_mnist_dsa.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: 70.6 / 84.6 / 88.7.
Source: arXiv 2102.08259.
Learners there train with augmentation, for 1,000 epochs.
Cost at 1 / 10 / 50 images per class: about 0.8 / 22 / 130 PFLOP, for 1,000
networks of width 128 and 2,560 real images an outer step.
"""

from ml_collections import ConfigDict

from dd_jax import recipe
from dd_jax.methods.gradient_matching import loops


def get_config(ipc: int = 10) -> ConfigDict:
  outer_steps, _ = loops(ipc)
  changes = {
    'dataset': 'fashion_mnist',
    'ipc': ipc,
    'num_steps': 1000 * outer_steps,
    'validate_every': 100 * outer_steps,
  }
  return ConfigDict(recipe.update(recipe.default('dsa'), changes))
