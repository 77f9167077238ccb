r"""FRePo as published (arXiv 2206.00719).

    dd-jax distill \
        --config=published/frepo:cifar10,10

Published accuracy of the networks, percent, by images per class:

    data set      |    1 |   10 |   50
    mnist         | 93.0 | 98.6 | 99.2
    fashion_mnist | 75.6 | 86.2 | 89.6
    cifar10       | 46.8 | 65.5 | 71.7
    cifar100      | 28.7 | 42.5 | 44.3

Those runs chose their state on the test set; this one does not.
Cost: 500,000 steps of a 128-256-512 ConvNet on 1,024 images, a GPU for hours.
"""

from ml_collections import ConfigDict

from dd_jax.checks import check_name
from dd_jax.run import recipe

DATASETS = ('mnist', 'fashion_mnist', 'cifar10', 'cifar100')


def get_config(dataset: str = 'cifar10', ipc: int = 10) -> ConfigDict:
  check_name('dataset', dataset, DATASETS)
  flip = dataset == 'cifar10' or (dataset == 'cifar100' and ipc == 1)
  changes = {
    'dataset': dataset,
    'ipc': ipc,
    'method': {'flip': flip},
  }
  return ConfigDict(recipe.update(recipe.default('frepo'), changes))
