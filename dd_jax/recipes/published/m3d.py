r"""M3D as published (arXiv 2312.15927).

    dd-jax distill \
        --config=published/m3d:cifar10,10

Published accuracy, percent, by images per class:

    data set |    1 |   10 |   50
    cifar10  | 45.3 | 63.5 | 69.9
    cifar100 | 26.2 | 42.4 | 50.9

Those runs chose their state on the test set, and trained learners as IDC's.
Their learning rate and the number of steps for which a network is kept are not
published: DM's rate and 1 stand in, so this recipe may fall short. Cost: 20,000
steps, each like one of DM; a GPU for hours.
"""

from ml_collections import ConfigDict

from dd_jax.checks import check_name
from dd_jax.run import recipe

DATASETS = ('cifar10', 'cifar100')


def get_config(dataset: str = 'cifar10', ipc: int = 10) -> ConfigDict:
  check_name('dataset', dataset, DATASETS)
  changes = {
    'dataset': dataset,
    'preprocessing': 'field',
    'ipc': ipc,
    'parameterization': {'name': 'multi_formation', 'factor': 2},
  }
  return ConfigDict(recipe.update(recipe.default('m3d'), changes))
