"""cafe on MNIST, sized for a CPU.

    python -m experiments.distill --dataset=mnist --method=cafe --ipc=1
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'mnist',
    'ipc': ipc,
    'num_steps': 1000,
    'validate_every': 0,
    'augment': 'color_crop_cutout_scale_rotate',
    'method': {'batch_size': 64, 'reading_size': 8, 'inner_cap': 20},
    'network': {'width': 32},
    'parameterization': {'start': 'real'},
    'optimizer': {'learning_rate': 0.1},
    'evaluation': {'baselines': ('random',)},
  }
  return ConfigDict(recipe.update(recipe.default('cafe'), changes))
