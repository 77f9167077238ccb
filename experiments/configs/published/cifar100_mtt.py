r"""Trajectory matching on CIFAR-100 as published (arXiv 2203.11932).

    python -m experiments.distill \
        --config=experiments/configs/published/cifar100_mtt.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: 24.3 / 40.1 /
47.7. Those runs chose their state on the test set; this one does not.
Step size: the published rate 1e-5 moves its logarithm at 0.1.
Cost: experts, 100 networks for 22/21/41 epochs (those that are read, of 50),
4.4 to 8.5 GB; then 5,000 steps, hours on one to eight GPUs as published; in
the memory of one network per inner step here.
"""

from typing import Any

from ml_collections import ConfigDict

from dd_jax import recipe
from dd_jax.types import UserError

_SETTINGS: dict[int, dict[str, Any]] = {
  1: {
    'method': {
      'inner_steps': 20,
      'expert_epochs': 3,
      'max_start': 20,
      'step_size': 0.01,
      'step_size_rate': 1e-5,
    },
    'optimizer': {'learning_rate': 1000.0},
  },
  10: {
    'method': {
      'inner_steps': 20,
      'expert_epochs': 2,
      'max_start': 20,
      'step_size': 0.01,
      'step_size_rate': 1e-5,
    },
    'optimizer': {'learning_rate': 1000.0},
    'preprocessing': 'standardise',
  },
  50: {
    'method': {
      'inner_steps': 80,
      'expert_epochs': 2,
      'max_start': 40,
      'support_batch': 125,
      'step_size': 0.01,
      'step_size_rate': 1e-5,
    },
    'optimizer': {'learning_rate': 1000.0},
  },
}


def get_config(ipc: int = 10) -> ConfigDict:
  if ipc not in _SETTINGS:
    raise UserError(f'ipc={ipc}: published are {list(_SETTINGS)}')
  changes = {'dataset': 'cifar100', 'ipc': ipc, **_SETTINGS[ipc]}
  return ConfigDict(recipe.update(recipe.default('mtt'), changes))
