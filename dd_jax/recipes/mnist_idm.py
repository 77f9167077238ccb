"""IDM, on partly trained networks, on MNIST, sized for a CPU: narrow ones.

    dd-jax distill --dataset=mnist --method=idm --ipc=1

Source of the method: arXiv 2307.09742.
A queue of ten networks that take five small steps at a time; plain pixels
rather than the published 2x2 tiles.
"""

from ml_collections import ConfigDict

from dd_jax.recipes._common import DISTRIBUTION_MATCHING
from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  config = recipe.update(recipe.default('idm'), DISTRIBUTION_MATCHING)
  changes = {
    'dataset': 'mnist',
    'evaluation': {'protocol': 'dc-mnist'},
    'ipc': ipc,
    'num_steps': 300,
    'augment': 'color_crop_cutout_scale_rotate',
    'method': {
      'queue_size': 10,
      'queue_interval': 10,
      'train_steps': 5,
      'train_batch_size': 64,
    },
    'network': {'width': 32},
    'optimizer': {'learning_rate': 1.0 * ipc},
  }
  return ConfigDict(recipe.update(config, changes))
