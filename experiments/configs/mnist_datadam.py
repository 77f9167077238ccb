"""Attention matching on MNIST, sized for a CPU: narrower networks.

    python -m experiments.distill --dataset=mnist --method=datadam --ipc=1

Source of the method: arXiv 2310.00093.
"""

from ml_collections import ConfigDict

from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'mnist',
    'ipc': ipc,
    'num_steps': 500,
    'validate_every': 0,
    'augment': 'color_crop_cutout_scale_rotate',
    'method': {'batch_size': 64},
    'network': {'width': 64},
    'optimizer': {'learning_rate': 1.0 * ipc},
    'evaluation': {'baselines': ('random',)},
  }
  return ConfigDict(recipe.update(recipe.default('datadam'), changes))
