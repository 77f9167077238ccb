r"""DM as published (arXiv 2110.04181).

    dd-jax distill \
        --config=published/dm:cifar10,10

Published accuracy, percent, by images per class:

    data set      |    1 |   10 |   50
    mnist         | 89.7 | 97.5 | 98.6
    cifar10       | 26.0 | 48.9 | 63.0
    cifar100      | 11.4 | 29.7 | 43.6
    tiny_imagenet |  3.9 | 12.9 | 24.1

CIFAR-10 at 100 / 200 / 500 / 1,000 / 1,250: 67.0 / 71.2 / 76.1 / 79.8 / 80.8.
Learners there train with augmentation, for 1,000 epochs. There is no download
of Tiny ImageNet: with dm.py:tiny_imagenet,10, --dataset=FOLDER names its
training images, a folder for each class.
Cost: 20,000 steps that each pass 2,560 real images (CIFAR-100 25,600, Tiny
ImageNet 51,200) through a network of width 128; a GPU for hours.
"""

from ml_collections import ConfigDict

from dd_jax.checks import check_name
from dd_jax.recipes.published._common import dsa_strategy, upright
from dd_jax.run import recipe

DATASETS = ('mnist', 'cifar10', 'cifar100', 'tiny_imagenet')


def get_config(dataset: str = 'cifar10', ipc: int = 10) -> ConfigDict:
  check_name('dataset', dataset, DATASETS)
  large = dataset == 'cifar10' and ipc >= 100
  changes = {
    'dataset': dataset,
    'preprocessing': 'field',
    'ipc': ipc,
    'augment': dsa_strategy(dataset),
    'evaluation': upright('dsa', dataset),
    'optimizer': {'learning_rate': 10.0 if large else 1.0},
  }
  return ConfigDict(recipe.update(recipe.default('dm'), changes))
