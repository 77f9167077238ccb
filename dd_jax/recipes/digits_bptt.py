"""BPTT on the embedded digits, a minute or two on two cores.

    dd-jax distill --dataset=digits --method=bptt --ipc=1

Scored by the `dc` protocol with a network of width 32.
"""

from ml_collections import ConfigDict

from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'digits',
    'ipc': ipc,
    'num_steps': 200,
    'validate_every': 100,
    'method': {
      'inner_steps': 30,
      'batch_size': 100,
      'plan': 'plain',
    },
    'parameterization': {'start': 'real', 'labels': 'free'},
    'network': {'width': 16},
    'inner_optimizer': {'learning_rate': 0.02},
    'optimizer': {'name': 'adam', 'learning_rate': 2e-2, 'momentum': 0.0},
    'evaluation': {
      'network': {'name': 'convnet', 'width': 32},
      'validation_steps': 150,
    },
  }
  return ConfigDict(recipe.update(recipe.default('bptt'), changes))
