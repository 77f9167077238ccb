r"""DM on CIFAR-10 as published.

    python -m experiments.distill \
        --config=experiments/configs/published/cifar10_dm.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: 26.0 / 48.9 / 63.0;
at 100 / 200 / 500 / 1,000 / 1,250, 67.0 / 71.2 / 76.1 / 79.8 / 80.8. Source:
arXiv 2110.04181.
Learners there train with augmentation, for 1,000 epochs.
Cost: 20,000 steps that each pass 2,560 real images through a network of width
128; a GPU for hours.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 10) -> ConfigDict:
  changes = {
    'dataset': 'cifar10',
    'ipc': ipc,
    'optimizer': {'learning_rate': 10.0 if ipc >= 100 else 1.0},
  }
  return ConfigDict(recipe.update(recipe.default('dm'), changes))
