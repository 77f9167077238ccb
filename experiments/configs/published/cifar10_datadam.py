r"""DataDAM on CIFAR-10 as published.

    python -m experiments.distill \
        --config=experiments/configs/published/cifar10_datadam.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: 32.0 / 54.2 / 67.0.
Source: arXiv 2310.00093.
A user of its code did not reach these figures; its authors point to their own
starting images, which are not used here.
Cost: 8,000 steps, each like one of DM; a GPU for hours.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 10) -> ConfigDict:
  changes = {
    'dataset': 'cifar10',
    'ipc': ipc,
    'optimizer': {'learning_rate': 10.0 if ipc > 50 else 1.0},
  }
  return ConfigDict(recipe.update(recipe.default('datadam'), changes))
