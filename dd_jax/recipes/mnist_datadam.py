"""Attention matching on MNIST, sized for a CPU: narrower networks.

    dd-jax distill --dataset=mnist --method=datadam --ipc=1

Source of the method: arXiv 2310.00093.
"""

from ml_collections import ConfigDict

from dd_jax.recipes._common import DISTRIBUTION_MATCHING
from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  config = recipe.update(recipe.default('datadam'), DISTRIBUTION_MATCHING)
  changes = {
    'dataset': 'mnist',
    'evaluation': {'protocol': 'dc-mnist'},
    'ipc': ipc,
    'num_steps': 500,
    'augment': 'color_crop_cutout_scale_rotate',
    'optimizer': {'learning_rate': 1.0 * ipc},
  }
  return ConfigDict(recipe.update(config, changes))
