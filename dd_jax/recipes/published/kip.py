r"""KIP with a one-hidden-layer NTK as published (arXiv 2011.00050).

    dd-jax distill \
        --config=published/kip:cifar10,10

Published kernel accuracy, percent, by images per class, with augmented target
batches (not part of this recipe):

    data set |    1 |   10 |   50
    mnist    | 85.5 | 97.2 | 98.4
    cifar10  | 40.5 | 53.1 | 58.6

Cost: minutes on two CPU cores.
"""

from ml_collections import ConfigDict

from dd_jax.checks import check_name
from dd_jax.run import recipe

DATASETS = ('mnist', 'cifar10')


def get_config(dataset: str = 'cifar10', ipc: int = 10) -> ConfigDict:
  check_name('dataset', dataset, DATASETS)
  changes = {'dataset': dataset, 'ipc': ipc, 'num_steps': 2000}
  return ConfigDict(recipe.update(recipe.default('kip'), changes))
