r"""Trajectory matching on Tiny-ImageNet as published (arXiv 2203.11932).

    python -m experiments.distill \
        --config=experiments/configs/published/tiny_imagenet_mtt.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: 8.8 / 23.2 / 28.0.
Those runs chose their state on the test set; this one does not. There is no
download of this set: --dataset=FOLDER names its training images, a folder for
each class.
Step size: the published rate 1e-4 moves its logarithm at 1.0.
Cost: experts, 100 networks for 11/41/41 epochs (those that are read, of 50),
4.1 to 14 GB; then 5,000 steps, hours on one to eight GPUs as published; in the
memory of one network per inner step here.
"""

from ml_collections import ConfigDict

from dd_jax import recipe
from dd_jax.types import UserError

_SETTINGS = {
  1: {
    'method': {
      'inner_steps': 10,
      'expert_epochs': 2,
      'max_start': 10,
      'step_size': 0.01,
      'step_size_rate': 1e-4,
    },
    'optimizer': {'learning_rate': 10000.0},
    'preprocessing': 'standardise',
  },
  10: {
    'method': {
      'inner_steps': 20,
      'expert_epochs': 2,
      'max_start': 40,
      'support_batch': 200,
      'step_size': 0.01,
      'step_size_rate': 1e-4,
    },
    'optimizer': {'learning_rate': 10000.0},
    'preprocessing': 'standardise',
  },
  50: {
    'method': {
      'inner_steps': 20,
      'expert_epochs': 2,
      'max_start': 40,
      'support_batch': 300,
      'step_size': 0.01,
      'step_size_rate': 1e-4,
    },
    'optimizer': {'learning_rate': 10000.0},
    'preprocessing': 'standardise',
  },
}


def get_config(ipc: int = 10) -> ConfigDict:
  if ipc not in _SETTINGS:
    raise UserError(f'ipc={ipc}: published are {list(_SETTINGS)}')
  changes = {'dataset': 'tiny_imagenet', 'ipc': ipc, **_SETTINGS[ipc]}
  return ConfigDict(recipe.update(recipe.default('mtt'), changes))
