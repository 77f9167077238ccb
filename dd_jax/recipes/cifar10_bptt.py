"""BPTT on CIFAR-10, sized for a CPU: narrow networks, 30 steps.

    dd-jax distill --dataset=cifar10 --method=bptt --ipc=1

Published without addressing at 1 image per class: 49.1 % (arXiv 2206.02916).
"""

from ml_collections import ConfigDict

from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'cifar10',
    'preprocessing': 'kip',
    'ipc': ipc,
    'num_steps': 1500,
    'validate_every': 500,
    'parameterization': {'start': 'class_means', 'labels': 'free'},
    'method': {
      'inner_steps': 30,
      'batch_size': 256,
      'plan': 'plain',
    },
    'network': {'width': 32},
    'optimizer': {
      'name': 'adam',
      'learning_rate': 1e-2,
      'schedule': 'cosine',
      'final': 0.05,
      'momentum': 0.0,
    },
    'evaluation': {
      'features': 'network',
      'validation_steps': 300,
      'validation_examples': 500,
      'baselines': ('random', 'herding'),
    },
  }
  return ConfigDict(recipe.update(recipe.default('bptt'), changes))
