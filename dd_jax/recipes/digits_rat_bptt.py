"""RaT-BPTT on the embedded digits, a minute or two on two cores.

    dd-jax distill --dataset=digits --method=rat_bptt --ipc=1

Scored by the `dc` protocol with a network of width 32.
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
    'method': {
      'inner_steps': 60,
      'window': 15,
      'batch_size': 100,
      'plan': 'plain',
    },
    'parameterization': {'start': 'real'},
    'network': {'width': 16},
    'inner_optimizer': {'name': 'sgd', 'learning_rate': 0.02, 'momentum': 0.9},
    'optimizer': {'learning_rate': 2e-2},
    'evaluation': {
      'protocol': 'dc',
      'network': {'name': 'convnet', 'width': 32},
      'validation_steps': 150,
    },
  }
  return ConfigDict(recipe.update(recipe.default('rat_bptt'), changes))
