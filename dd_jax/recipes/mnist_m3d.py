"""Kernel mean discrepancy on MNIST, sized for a CPU: narrower networks.

    dd-jax distill --dataset=mnist --method=m3d --ipc=1

Source of the method: arXiv 2312.15927.
"""

from ml_collections import ConfigDict

from dd_jax.recipes._common import DISTRIBUTION_MATCHING
from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  config = recipe.update(recipe.default('m3d'), DISTRIBUTION_MATCHING)
  changes = {
    'dataset': 'mnist',
    'evaluation': {'protocol': 'dc-mnist'},
    'ipc': ipc,
    'num_steps': 500,
    'augment': 'color_crop_cutout_scale_rotate',
    'optimizer': {'learning_rate': 20.0 * ipc},
  }
  return ConfigDict(recipe.update(config, changes))
