"""FRePo on MNIST, sized for a CPU: a pool of narrow networks, fewer steps.

    dd-jax distill --dataset=mnist --method=frepo --ipc=1

The published recipe (`published/frepo.py`) takes 500,000 steps of a
network with 64 times the work; it reaches 93.0 % at 1 image per class (arXiv
2206.00719). Scored by the `frepo` protocol with a network of width 64.
"""

from ml_collections import ConfigDict

from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'mnist',
    'ipc': ipc,
    'num_steps': 5000,
    'validate_every': 1000,
    'method': {'batch_size': 256},
    'network': {'width': 16},
    'optimizer': {'learning_rate': 3e-3},
    'evaluation': {
      'network': {'name': 'frepo_convnet', 'width': 64, 'norm': 'none'},
      'validation_examples': 1000,
    },
  }
  return ConfigDict(recipe.update(recipe.default('frepo'), changes))
