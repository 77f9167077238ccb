r"""Back-propagation through training: RTP without addressing.

    dd-jax distill \
        --config=published/bptt:cifar10,1

Published accuracy, percent, by images per class (arXiv 2206.02916; with shared
bases, the parameterization `memory`, it is that paper's method):

    data set |    1 |   10 |   50
    cifar10  | 49.1 | 62.4 | 70.5
    cifar100 | 21.3 | 34.7 |

Those runs chose their state on the test set; this one does not. There an
iteration augments all its batches with the same flip or rotation; this recipe
has no augmentation. Images are whitened, and ten of each class are one step.
Cost: 2 TFLOP an outer step, up to 500,000 of them: days on a GPU.
"""

from ml_collections import ConfigDict

from dd_jax.checks import check_name
from dd_jax.run import recipe

DATASETS = ('cifar10', 'cifar100')


def get_config(dataset: str = 'cifar10', ipc: int = 1) -> ConfigDict:
  check_name('dataset', dataset, DATASETS)
  classes = 100 if dataset == 'cifar100' else 10
  changes = {
    'dataset': dataset,
    'preprocessing': 'kip',
    'ipc': ipc,
    'method': {'inner_batch_size': 10 * classes},
  }
  return ConfigDict(recipe.update(recipe.default('bptt'), changes))
