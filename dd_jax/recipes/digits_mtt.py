"""Trajectory matching on the embedded digits, a minute or two on two cores.

    dd-jax distill --dataset=digits --method=mtt --ipc=1

Experts are trained first and kept in the cache. Scored by the `mtt`
protocol without flips, with a network of width 32.
"""

from ml_collections import ConfigDict

from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'digits',
    'preprocessing': 'standardise',
    'ipc': ipc,
    'num_steps': 300,
    'validate_every': 100,
    'augment': 'none',
    'method': {
      'inner_steps': 10,
      'max_start': 3,
      'step_size': 0.1,
      'step_size_rate': 1e-4,
    },
    'network': {'width': 16},
    'optimizer': {'name': 'adam', 'learning_rate': 2e-2, 'momentum': 0.0},
    'experts': {
      'count': 5,
      'epoch_steps': 20,
      'batch_size': 64,
      'step_size': 0.1,
      'augment': 'none',
    },
    'evaluation': {
      'protocol': 'mtt',
      'mirror': 'never',
      'others': (),
      'network': {'name': 'convnet', 'width': 32},
      'validation_steps': 200,
    },
  }
  return ConfigDict(recipe.update(recipe.default('mtt'), changes))
