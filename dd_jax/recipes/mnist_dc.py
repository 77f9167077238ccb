"""DC on MNIST, sized for a CPU.

    dd-jax distill --dataset=mnist --method=dc --ipc=1

The published recipe (`published/dc.py`) takes 1,000 steps of a
network twice as wide on 256 real images of each class, and reaches 91.7 %
at 1 image per class.
"""

from ml_collections import ConfigDict

from dd_jax.recipes._common import GRADIENT_MATCHING
from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  config = recipe.update(recipe.default('dc'), GRADIENT_MATCHING)
  changes = {
    'dataset': 'mnist',
    'evaluation': {'protocol': 'dc-mnist'},
    'ipc': ipc,
  }
  return ConfigDict(recipe.update(config, changes))
