r"""RTP: addressable memory by unrolled training.

    dd-jax distill \
        --config=published/rtp:cifar10,1

Published accuracy, percent, at the storage of so many images per class (arXiv
2206.02916):

    data set |    1 |   10 |   50
    cifar10  | 66.4 | 71.2 | 73.6

They are decoded to 115 / 403 images of each class at 1 and 10. The bases at 50
are this repository's choice: as many as at 10. Published runs scored 300 epochs
of ten networks at every evaluation.
Cost: 150 inner steps of 320 images, as many of each class on average, and 640
real ones, 500,000 times at most.
"""

from ml_collections import ConfigDict

from dd_jax.checks import check_name
from dd_jax.run import recipe

DATASETS = ('cifar10',)


def get_config(dataset: str = 'cifar10', ipc: int = 1) -> ConfigDict:
  check_name('dataset', dataset, DATASETS)
  changes = {
    'dataset': dataset,
    'preprocessing': 'field',
    'ipc': ipc,
    'method': {'inner_batch_size': 320},
    'augment': 'flip_rotate',
    'parameterization': {
      'name': 'memory',
      'first': 'xavier',
      'bases': 16 if ipc == 1 else 64,
      'downsample': 2,
      'labels': 'fixed',
    },
  }
  return ConfigDict(recipe.update(recipe.default('bptt'), changes))
