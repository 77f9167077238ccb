r"""RCIG as published (arXiv 2302.06755).

    dd-jax distill \
        --config=published/rcig:cifar10,10

Published accuracy of the networks, percent, by images per class:

    data set      |    1 |   10 |   50
    mnist         | 94.7 | 98.9 | 99.2
    fashion_mnist | 79.8 | 88.5 | 90.2
    cifar10       | 53.9 | 69.1 | 73.5
    cifar100      | 39.3 | 44.1 | 46.7

Linear systems are solved by conjugate gradients here, by 20 steps of Adam
there.
Cost: thousands of steps of a 128-256-512 ConvNet, linearised, on 1,024 images
and of 60 to 80 passes over the distilled ones: a GPU for hours.
"""

from ml_collections import ConfigDict

from dd_jax.checks import check_name
from dd_jax.run import recipe

DATASETS = ('mnist', 'fashion_mnist', 'cifar10', 'cifar100')


def get_config(dataset: str = 'cifar10', ipc: int = 10) -> ConfigDict:
  check_name('dataset', dataset, DATASETS)
  longer = dataset == 'cifar10' and ipc == 1
  flip = dataset == 'cifar10' or (dataset == 'cifar100' and ipc < 50)
  changes = {
    'dataset': dataset,
    'ipc': ipc,
    'num_steps': 15_000 if longer else 10_000,
    'method': {'flip': flip},
    'evaluation': {'protocol': 'rcig', 'others': ('frepo',)},
  }
  return ConfigDict(recipe.update(recipe.default('rcig'), changes))
