r"""TESLA as published (arXiv 2211.10586).

    dd-jax distill \
        --config=published/tesla:cifar10,1
    dd-jax distill \
        --config=published/tesla:cifar100,50

Published accuracy, percent, by images per class:

    data set |    1 |   10 |   50
    cifar10  | 48.5 | 66.4 | 72.6
    cifar100 | 24.8 | 41.7 | 47.9

Those runs chose their state on the test set; this one does not. Settings are
published for CIFAR-10 at 1 image per class and CIFAR-100 at 50 alone. The
published code loses a factor of two in its gradient: the rate of the images,
1,000 there, is 500 here.
Step size: the published rate 1e-7 moves its logarithm at 0.001, 1e-5 at 0.1.
Cost: experts, 100 networks for 6 epochs on CIFAR-10, 0.9 GB, and for 41 on
CIFAR-100, 8.5 GB (those that are read, of 50); then 10,000 steps of one GPU.
"""

from ml_collections import ConfigDict

from dd_jax.checks import check_name
from dd_jax.recipes.published._common import published
from dd_jax.run import recipe

DATASETS: dict[str, dict[int, recipe.Config]] = {
  'cifar10': {
    1: {
      'preprocessing': 'field',
      'method': {
        'inner_steps': 50,
        'max_start': 5,
        'step_size_rate': 1e-7,
      },
    },
  },
  'cifar100': {
    50: {
      'method': {
        'inner_steps': 80,
        'max_start': 40,
        'support_batch': 125,
        'step_size_rate': 1e-5,
      },
    },
  },
}


def get_config(dataset: str = 'cifar10', ipc: int | None = None) -> ConfigDict:
  check_name('dataset', dataset, DATASETS)
  ipc = ipc or next(iter(DATASETS[dataset]))
  changes = {
    'dataset': dataset,
    'ipc': ipc,
    'method': {'expert_epochs': 2, 'step_size': 0.01},
    'optimizer': {'learning_rate': 500.0},
  }
  config = recipe.update(recipe.default('tesla'), changes)
  return ConfigDict(recipe.update(config, published(DATASETS, dataset, ipc)))
