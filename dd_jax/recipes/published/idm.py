r"""IDM as published (arXiv 2307.09742).

    dd-jax distill \
        --config=published/idm:cifar10,10

Published accuracy, percent, by images per class:

    data set      |    1 |   10 |   50
    cifar10       | 45.6 | 58.6 | 67.5
    cifar100      | 20.1 | 45.1 | 50.0
    tiny_imagenet | 10.1 | 21.9 | 27.7

Those runs chose their state on the test set, and trained learners with CutMix
and augmentation. On CIFAR-100 at 1 image per class the real batch is all
500 images of a class (the published 5,000 repeats them). There is
no download of Tiny ImageNet: with idm.py:tiny_imagenet,10, --dataset=FOLDER
names its training images, a folder for each class.
Cost: 20,000 steps of 256 real images per class, and 20 training steps of 256
images each; a GPU for hours.
"""

from typing import NamedTuple

from ml_collections import ConfigDict

from dd_jax.checks import check_name
from dd_jax.run import recipe


class _Settings(NamedTuple):
  """What differs, in the order of the table."""

  class_size: int  # the real batch at 1 image per class; above 256, new
  # networks come sooner there
  class_weight: float  # 0.5 below `many` images per class
  many: int
  longer_at: int | None  # images per class where networks train longer


DATASETS = {
  'cifar10': _Settings(5000, 0.1, 50, None),
  'cifar100': _Settings(500, 0.1, 2, 10),
  'tiny_imagenet': _Settings(256, 0.8, 50, 50),
}


def get_config(dataset: str = 'cifar10', ipc: int = 10) -> ConfigDict:
  check_name('dataset', dataset, DATASETS)
  class_size, class_weight, many, longer_at = DATASETS[dataset]
  changes = {
    'dataset': dataset,
    'preprocessing': 'field',
    'ipc': ipc,
    'parameterization': {'name': 'multi_formation', 'factor': 2},
    'method': {
      'batch_size': class_size if ipc == 1 else 256,
      'queue_interval': 5 if ipc == 1 and class_size > 256 else 30,
      'class_weight': class_weight if ipc >= many else 0.5,
      'train_steps': 50 if ipc == longer_at else 10,
    },
  }
  return ConfigDict(recipe.update(recipe.default('idm'), changes))
