"""IDC-I on MNIST, sized for a CPU.

    dd-jax distill --dataset=mnist --method=idc --ipc=1

One outer step is one class; a network lives for 25 rounds of the ten classes.
Adam replaces SGD, whose published rate is for 2,000,000 steps: those reach
88.9 %.
"""

from ml_collections import ConfigDict

from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'mnist',
    'ipc': ipc,
    'num_steps': 1500,
    'validate_every': 500,
    'method': {
      'inner_steps': 25,
      'train_size': 256,
      'inner_strategy': 'color_crop_scale_rotate',
    },
    'network': {'width': 64},
    'parameterization': {'start': 'kmeans'},
    'optimizer': {'name': 'adam', 'learning_rate': 5e-3, 'momentum': 0.0},
    'evaluation': {
      'protocol': 'dc-mnist',
      'validation_steps': 300,
      'validation_examples': 1000,
    },
  }
  return ConfigDict(recipe.update(recipe.default('idc'), changes))
