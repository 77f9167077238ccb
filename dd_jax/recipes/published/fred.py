r"""FreD: trajectory matching of cosine coefficients.

    dd-jax distill \
        --config=published/fred:cifar10,10

Published accuracy, percent, at the storage of so many images per class (arXiv
2311.08819):

    data set |    1 |   10 |   50
    cifar10  | 60.6 | 70.3 | 75.8
    cifar100 | 34.6 | 42.7 | 47.8

Sixteen images for each one stored, a sixteenth of the coefficients each; no
whitening; masks count here.
The published rate, 1e8, is for a transform without norm: in the orthonormal
one it is (2 * 32)^2 times smaller (the mean's, four to sixteen times more).
Published for 1 image per class; used here for all, with batches of 256.
Cost: as `mtt.py`, with sixteen times the images in an inner step.
"""

from ml_collections import ConfigDict

from dd_jax.recipes.published._common import published
from dd_jax.recipes.published.mtt import Method
from dd_jax.run import recipe

DATASETS = {
  'cifar10': {
    1: Method(50, 2, 5, 0.01, 1e-7),
    10: Method(40, 2, 15, 0.01, 1e-5),
    50: Method(30, 2, 40, 0.001, 1e-5),
  },
  'cifar100': {
    1: Method(50, 2, 15, 0.01, 1e-5),
    10: Method(20, 2, 40, 0.01, 1e-5),
    50: Method(80, 2, 40, 0.01, 1e-5),
  },
}


def get_config(dataset: str = 'cifar10', ipc: int = 10) -> ConfigDict:
  method = published(DATASETS, dataset, ipc)
  changes = {
    'dataset': dataset,
    'preprocessing': 'field',
    'ipc': ipc,
    'num_steps': 15_000,
    'method': method._replace(support_batch=256)._asdict(),
    'parameterization': {'name': 'frequency'},
    'optimizer': {'learning_rate': 1e8 / 64**2},
  }
  return ConfigDict(recipe.update(recipe.default('mtt'), changes))
