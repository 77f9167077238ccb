"""DSA on MNIST, sized for a CPU.

    dd-jax distill --dataset=mnist --method=dsa --ipc=1

The published recipe (`published/dsa.py`) takes 1,000 steps of a
network twice as wide on 256 real images of each class, and reaches 88.7 %
at 1 image per class.
"""

from ml_collections import ConfigDict

from dd_jax.recipes._common import GRADIENT_MATCHING
from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  config = recipe.update(recipe.default('dsa'), GRADIENT_MATCHING)
  changes = {
    'dataset': 'mnist',
    'evaluation': {'protocol': 'dc-mnist'},
    'ipc': ipc,
    'augment': 'color_crop_cutout_scale_rotate',
  }
  return ConfigDict(recipe.update(config, changes))
