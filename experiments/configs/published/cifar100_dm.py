r"""DM on CIFAR-100 as published.

    python -m experiments.distill \
        --config=experiments/configs/published/cifar100_dm.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: 11.4 / 29.7 / 43.6.
Source: arXiv 2110.04181.
Learners there train with augmentation, for 1,000 epochs.
Cost: 20,000 steps that each pass 25,600 real images through a network of width
128; a GPU for hours.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 10) -> ConfigDict:
  changes = {
    'dataset': 'cifar100',
    'ipc': ipc,
  }
  return ConfigDict(recipe.update(recipe.default('dm'), changes))
