r"""DC as published (arXiv 2006.05929).

    dd-jax distill \
        --config=published/dc:cifar10,10

Published accuracy, percent, by images per class:

    data set      |    1 |   10 |   50
    mnist         | 91.7 | 97.4 | 98.8
    fashion_mnist | 70.5 | 82.3 | 83.6
    svhn_cropped  | 31.2 | 76.1 | 82.3
    cifar10       | 28.3 | 44.9 | 53.9
    cifar100      | 12.8 | 25.2 |

Cost at 1 / 10 / 50 images per class: about 0.8 / 22 / 130 PFLOP, for 1,000
networks of width 128 and 2,560 real images an outer step; for CIFAR-100 about
7.7 / 220 / 1,300 PFLOP and 25,600 images.
"""

from ml_collections import ConfigDict

from dd_jax.checks import check_name
from dd_jax.methods.gradient_matching import loops
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
    'evaluation': {'protocol': 'dc-mnist' if dataset == 'mnist' else 'dc'},
  }
  return ConfigDict(recipe.update(recipe.default('dc'), changes))
