"""CAFE on MNIST, sized for a CPU: narrower networks.

    dd-jax distill --dataset=mnist --method=cafe --ipc=1

Source of the method: arXiv 2203.01531.
From real images rather than noise, and with 8 images per class in a reading
rather than 128.
"""

from ml_collections import ConfigDict

from dd_jax.recipes._common import DISTRIBUTION_MATCHING
from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  config = recipe.update(recipe.default('cafe'), DISTRIBUTION_MATCHING)
  changes = {
    'dataset': 'mnist',
    'evaluation': {'protocol': 'dc-mnist'},
    'ipc': ipc,
    'num_steps': 500,
    'augment': 'color_crop_cutout_scale_rotate',
    'method': {'reading_size': 8, 'inner_cap': 20},
    'network': {'width': 32},
    'parameterization': {'start': 'real'},
    'optimizer': {'learning_rate': 0.1},
  }
  return ConfigDict(recipe.update(config, changes))
