r"""DSA as published (arXiv 2102.08259).

    dd-jax distill \
        --config=published/dsa:cifar10,10

Published accuracy, percent, by images per class:

    data set      |    1 |   10 |   50
    mnist         | 88.7 | 97.8 | 99.2
    fashion_mnist | 70.6 | 84.6 | 88.7
    svhn_cropped  | 27.5 | 79.2 | 84.4
    cifar10       | 28.8 | 52.1 | 60.6
    cifar100      | 13.9 | 32.3 | 42.8

Learners there train with augmentation, for 1,000 epochs.
Cost at 1 / 10 / 50 images per class: about 0.8 / 22 / 130 PFLOP, for 1,000
networks of width 128 and 2,560 real images an outer step; for CIFAR-100 about
7.7 / 220 / 1,300 PFLOP and 25,600 images.
"""

from ml_collections import ConfigDict

from dd_jax.checks import check_name
from dd_jax.methods.gradient_matching import loops
from dd_jax.recipes.published._common import dsa_strategy, upright
from dd_jax.run import recipe

DATASETS = ('mnist', 'fashion_mnist', 'svhn_cropped', 'cifar10', 'cifar100')


def get_config(dataset: str = 'cifar10', ipc: int = 10) -> ConfigDict:
  check_name('dataset', dataset, DATASETS)
  outer_steps, _ = loops(ipc)
  changes = {
    'dataset': dataset,
    'preprocessing': 'field',
    'ipc': ipc,
    'num_steps': 1000 * outer_steps,
    'validate_every': 100 * outer_steps,
    'augment': dsa_strategy(dataset),
    'evaluation': upright('dsa', dataset),
  }
  return ConfigDict(recipe.update(recipe.default('dsa'), changes))
