r"""IDM on CIFAR-10 as published.

    python -m experiments.distill \
        --config=experiments/configs/published/cifar10_idm.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: 45.6 / 58.6 / 67.5.
Source: arXiv 2307.09742.
Those runs chose their state on the test set, and trained learners with CutMix
and augmentation.
Cost: 20,000 steps of 256 real images per class, and 20 training steps of 256
images each; a GPU for hours.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 10) -> ConfigDict:
  changes = {
    'dataset': 'cifar10',
    'ipc': ipc,
    'parameterization': {'name': 'multi_formation', 'factor': 2},
    'method': {
      'batch_size': 5000 if ipc == 1 else 256,
      'queue_interval': 5 if ipc == 1 else 30,
      'class_weight': 0.1 if ipc >= 50 else 0.5,
    },
  }
  return ConfigDict(recipe.update(recipe.default('idm'), changes))
