"""Distribution matching on CIFAR-10, sized for a CPU: narrower networks.

    python -m experiments.distill --dataset=cifar10 --method=dm --ipc=1
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'cifar10',
    'ipc': ipc,
    'num_steps': 2000,
    'validate_every': 0,
    'method': {'batch_size': 64},
    'network': {'width': 64},
    'optimizer': {'learning_rate': 5.0 * ipc},
    'evaluation': {'baselines': ('random',)},
  }
  return ConfigDict(recipe.update(recipe.default('dm'), changes))
