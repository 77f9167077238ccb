r"""RFAD as published (arXiv 2210.12067).

    dd-jax distill \
        --config=published/rfad:cifar10,10

Published accuracy, percent, by images per class, of regression with the exact
NNGP of the infinite ConvNet, and of networks of width 1,024 (`rfad-nn`):

    data set      | NNGP: 1 |   10 |   50 | networks: 1 |   10 |   50
    mnist         |    96.7 | 99.0 | 99.1 |        94.4 | 98.5 | 98.8
    fashion_mnist |    81.6 | 90.0 | 91.3 |        78.6 | 87.0 | 88.8
    svhn_cropped  |    51.4 | 77.2 | 81.8 |        52.2 | 74.9 | 80.9
    cifar10       |    61.1 | 73.1 | 76.1 |        53.6 | 66.3 | 71.1
    cifar100      |    36.0 | 44.9 |      |        26.3 | 33.0 |

Those runs end after 1,000 steps without a better validation loss, 100,000 at
most.
Cost: a step is 16.3 TFLOP at 1 image per class; a GPU for hours.
"""

from ml_collections import ConfigDict

from dd_jax.checks import check_name
from dd_jax.run import recipe

DATASETS = {
  'mnist': 'mnist',
  'fashion_mnist': 'fashion',
  'svhn_cropped': 'svhn',
  'cifar10': '',
  'cifar100': 'cifar100',
}
"""Whose rates of `rfad-nn` are whose."""


def get_config(dataset: str = 'cifar10', ipc: int = 10) -> ConfigDict:
  check_name('dataset', dataset, DATASETS)
  networks = f'rfad-nn-{DATASETS[dataset]}' if DATASETS[dataset] else 'rfad-nn'
  changes = {
    'dataset': dataset,
    'ipc': ipc,
    'method': {'transform_rate': 5e-5},
    'evaluation': {'others': ('krr-ntk', networks)},
  }
  return ConfigDict(recipe.update(recipe.default('rfad'), changes))
