r"""DCC as published (arXiv 2202.02916).

    dd-jax distill \
        --config=published/dcc:cifar10,10

Published accuracy, percent, by images per class:

    data set     |    1 |   10 |   50
    svhn_cropped | 47.5 | 80.5 | 87.2
    cifar10      | 34.0 | 54.5 | 64.2
    cifar100     | 14.6 | 33.5 | 39.3

These are the figures of its variant under siamese augmentation (DSAC).
Learners there train with augmentation, for 1,000 epochs.
Cost at 1 / 10 / 50 images per class: about 7.8 / 22 / 130 PFLOP, for 1,000
networks of width 128 and 2,560 real images an outer step; for CIFAR-100 about
78 / 220 / 1,300 PFLOP and 25,600 images.
"""

from ml_collections import ConfigDict

from dd_jax.checks import check_name
from dd_jax.methods.gradient_matching import loops
from dd_jax.recipes.published._common import dsa_strategy, upright
from dd_jax.run import recipe

DATASETS = ('svhn_cropped', 'cifar10', 'cifar100')


def get_config(dataset: str = 'cifar10', ipc: int = 10) -> ConfigDict:
  check_name('dataset', dataset, DATASETS)
  outer_steps, _ = loops(ipc, 'dcc')
  changes = {
    'dataset': dataset,
    'preprocessing': 'field',
    'ipc': ipc,
    'num_steps': 1000 * outer_steps,
    'validate_every': 100 * outer_steps,
    'augment': dsa_strategy(dataset),
    'evaluation': upright('dsa', dataset),
  }
  return ConfigDict(recipe.update(recipe.default('dcc'), changes))
