r"""CAFE with DSA as published (arXiv 2203.01531).

    dd-jax distill \
        --config=published/cafe:cifar10,10

Published accuracy, percent, by images per class, and without augmentation
(--config.augment=none) where it is known:

    data set      |    1 |   10 |   50 | without: 1 |   10 |   50
    mnist         | 90.8 | 97.5 | 98.9 |            |      |
    fashion_mnist | 73.7 | 83.0 | 88.2 |            |      |
    svhn_cropped  | 42.9 | 77.9 | 82.3 |            |      |
    cifar10       | 31.6 | 50.9 | 62.3 |       30.3 | 46.3 | 55.5
    cifar100      | 14.0 | 31.5 | 42.9 |       12.9 | 27.8 | 37.9

Of the settings only those for CIFAR-10 are in its code.
Those runs look at 2,000 networks, each until its accuracy settles; this one
takes 20,000 steps of the support set, which is at most as many networks.
Cost: each step, besides 256 real images per class, at least ten passes over 128
of them for the inner loop; a GPU for a day.
"""

from ml_collections import ConfigDict

from dd_jax.checks import check_name
from dd_jax.recipes.published._common import dsa_strategy, upright
from dd_jax.run import recipe

DATASETS = ('mnist', 'fashion_mnist', 'svhn_cropped', 'cifar10', 'cifar100')


def get_config(dataset: str = 'cifar10', ipc: int = 10) -> ConfigDict:
  check_name('dataset', dataset, DATASETS)
  changes = {
    'dataset': dataset,
    'preprocessing': 'field',
    'ipc': ipc,
    'augment': dsa_strategy(dataset),
    'evaluation': upright('dsa', dataset),
  }
  return ConfigDict(recipe.update(recipe.default('cafe'), changes))
