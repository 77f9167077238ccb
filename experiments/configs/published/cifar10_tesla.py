r"""TESLA on CIFAR-10 as published (arXiv 2211.10586).

    python -m experiments.distill \
        --config=experiments/configs/published/cifar10_tesla.py:1

Published accuracy at 1 / 10 / 50 images per class, percent: 48.5 / 66.4 /
72.6. Those runs chose their state on the test set; this one does not. Settings
are published for 1 image per class alone. The published code loses a factor of
two in its gradient: the rate of the images, 1,000 there, is 500 here.
Step size: the published rate 1e-7 moves its logarithm at 0.001.
Cost: experts, 100 networks for 6 epochs (those that are read, of 50), 0.9 GB;
then 10,000 steps of one GPU.
"""

from ml_collections import ConfigDict

from dd_jax import recipe
from dd_jax.types import UserError

_SETTINGS = {
  1: {
    'method': {
      'inner_steps': 50,
      'expert_epochs': 2,
      'max_start': 5,
      'step_size': 0.01,
      'step_size_rate': 1e-7,
    },
    'optimizer': {'learning_rate': 500.0},
    'preprocessing': 'standardise',
  },
}


def get_config(ipc: int = 1) -> ConfigDict:
  if ipc not in _SETTINGS:
    raise UserError(f'ipc={ipc}: published are {list(_SETTINGS)}')
  changes = {'dataset': 'cifar10', 'ipc': ipc, **_SETTINGS[ipc]}
  return ConfigDict(recipe.update(recipe.default('tesla'), changes))
