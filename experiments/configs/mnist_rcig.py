"""RCIG on MNIST, sized for a CPU: a pool of narrow networks, fewer steps.

    python -m experiments.distill --dataset=mnist --method=rcig --ipc=1

Published, with the full recipe: 94.7 % (arXiv 2302.06755).
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'mnist',
    'ipc': ipc,
    'num_steps': 1500,
    'validate_every': 500,
    'method': {'batch_size': 256, 'pool_size': 10},
    'network': {'width': 16, 'sharpness': 0.0},
    'optimizer': {'learning_rate': 1e-2},
    'inner_optimizer': {'learning_rate': 3e-4},
    'evaluation': {
      'network': {'name': 'frepo_convnet', 'width': 64, 'norm': 'none'},
      'validation_examples': 1000,
    },
  }
  return ConfigDict(recipe.update(recipe.default('rcig'), changes))
