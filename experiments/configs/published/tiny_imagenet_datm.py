r"""DATM on Tiny-ImageNet as published (arXiv 2310.05773).

    python -m experiments.distill \
        --config=experiments/configs/published/tiny_imagenet_datm.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: 17.1 / 31.1 /
39.7. Those runs chose their state on the test set; this one does not. There is
no download of this set: --dataset=FOLDER names its training images, a folder
for each class.
Step size: the published rate 1e-4 moves its logarithm at 1.0.
Cost: FTD's experts, 100 networks for 100 epochs with two gradients a step, up
to 15 GB kept; then 10,000 steps of one GPU. Users of the published code did
not reach all of these figures.
"""

from ml_collections import ConfigDict

from dd_jax import recipe
from dd_jax.types import UserError

_SETTINGS = {
  1: {
    'method': {
      'inner_steps': 40,
      'expert_epochs': 2,
      'max_start': 20,
      'first_stop': 15,
      'widen_steps': 2000,
      'support_batch': 1000,
      'label_rate': 10.0,
      'step_size_rate': 1e-4,
    },
    'optimizer': {'learning_rate': 10000.0},
  },
  10: {
    'method': {
      'inner_steps': 40,
      'expert_epochs': 2,
      'min_start': 10,
      'max_start': 50,
      'support_batch': 500,
      'label_rate': 10.0,
      'step_size_rate': 1e-4,
    },
    'optimizer': {'learning_rate': 100.0},
  },
  50: {
    'method': {
      'inner_steps': 20,
      'expert_epochs': 2,
      'min_start': 40,
      'max_start': 70,
      'support_batch': 1000,
      'label_rate': 10.0,
      'step_size_rate': 1e-4,
    },
    'optimizer': {'learning_rate': 100.0},
  },
}


def get_config(ipc: int = 10) -> ConfigDict:
  if ipc not in _SETTINGS:
    raise UserError(f'ipc={ipc}: published are {list(_SETTINGS)}')
  changes = {'dataset': 'tiny_imagenet', 'ipc': ipc, **_SETTINGS[ipc]}
  return ConfigDict(recipe.update(recipe.default('datm'), changes))
