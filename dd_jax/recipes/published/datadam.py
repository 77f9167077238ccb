r"""DataDAM as published (arXiv 2310.00093).

    dd-jax distill \
        --config=published/datadam:cifar10,10

Published accuracy, percent, by images per class:

    data set      |    1 |   10 |   50
    cifar10       | 32.0 | 54.2 | 67.0
    cifar100      | 14.5 | 34.8 | 49.4
    tiny_imagenet |  8.3 | 18.7 | 28.7

A user of its code did not reach these figures; its authors point to their own
starting images, which are not used here. There is no download of Tiny ImageNet:
with datadam.py:tiny_imagenet,10, --dataset=FOLDER names its training images, a
folder for each class.
Cost: 8,000 steps, each like one of DM; a GPU for hours.
"""

from ml_collections import ConfigDict

from dd_jax.checks import check_name
from dd_jax.run import recipe

DATASETS = ('cifar10', 'cifar100', 'tiny_imagenet')


def get_config(dataset: str = 'cifar10', ipc: int = 10) -> ConfigDict:
  check_name('dataset', dataset, DATASETS)
  changes = {
    'dataset': dataset,
    'preprocessing': 'field',
    'ipc': ipc,
    'optimizer': {'learning_rate': 10.0 if ipc > 50 else 1.0},
    'method': {'embedding_weight': 2.0 if dataset == 'tiny_imagenet' else 1.0},
  }
  return ConfigDict(recipe.update(recipe.default('datadam'), changes))
