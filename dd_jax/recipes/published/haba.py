r"""HaBa: bases and hallucinators by trajectory matching.

    dd-jax distill \
        --config=published/haba:cifar10,10

Published accuracy, percent, by bases per class (arXiv 2210.16774):

    data set |    1 |   10 |   50
    cifar10  | 48.3 | 69.9 | 74.0

Five hallucinators take 0.91 images per class beside the bases: the report says
1.91, 10.91 and 50.91. Those runs chose their state on the test set, and drew
one hallucinator for each inner step; here every image by every hallucinator is
one of the set's, and batches are of 256.
Cost: as `mtt.py`, and a second network of its kind.
"""

from ml_collections import ConfigDict

from dd_jax.recipes.published._common import published
from dd_jax.recipes.published.mtt import Method
from dd_jax.run import recipe

DATASETS = {
  'cifar10': {
    1: Method(50, 2, 2, 0.01, 1e-7),
    10: Method(30, 2, 20, 0.001, 1e-5),
    50: Method(30, 2, 20, 0.01, 1e-5),
  },
}


def get_config(dataset: str = 'cifar10', ipc: int = 10) -> ConfigDict:
  method = published(DATASETS, dataset, ipc)
  changes = {
    'dataset': dataset,
    'ipc': ipc,
    'num_steps': 15_000,
    'method': {
      **method._replace(support_batch=256)._asdict(),
      'step_size_momentum': 0.9,
    },
    'parameterization': {'name': 'hallucinator', 'bases': ipc, 'club': 0.1},
    'optimizer': {'learning_rate': 100.0, 'momentum': 0.95},
  }
  return ConfigDict(recipe.update(recipe.default('mtt'), changes))
