"""DSA on Fashion-MNIST, sized for a CPU.

    python -m experiments.distill --dataset=fashion_mnist --method=dsa --ipc=1

The published recipe (`published/dsa.py`) takes 1,000 steps of a
network twice as wide on 256 real images of each class, and reaches 70.6 %
at 1 image per class.
"""

from ml_collections import ConfigDict

from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'fashion_mnist',
    'ipc': ipc,
    'num_steps': 300,
    'validate_every': 150,
    'method': {'batch_size': 64},
    'network': {'width': 64},
    'parameterization': {'start': 'kmeans'},
    'optimizer': {'learning_rate': 0.3},
    'evaluation': {'validation_steps': 300, 'validation_examples': 1000},
  }
  return ConfigDict(recipe.update(recipe.default('dsa'), changes))
