"""RaT-BPTT on CIFAR-10, sized for a CPU: narrow networks, SGD inside.

    dd-jax distill --dataset=cifar10 --method=rat_bptt --ipc=1

Reaches 36.7 % at 1 image per class in 30 minutes of one core, under `dc`.
Published: 53.2 %
after 60,000 steps of a network with 16 times the work (arXiv 2310.08566).
"""

from ml_collections import ConfigDict

from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'cifar10',
    'ipc': ipc,
    'num_steps': 2400,
    'validate_every': 300,
    'augment': 'none',
    'parameterization': {'start': 'kmeans', 'labels': 'simplex'},
    'method': {
      'inner_steps': 60,
      'window': 40,
      'batch_size': 256,
      'plan': 'plain',
    },
    'network': {'width': 32},
    'inner_optimizer': {'name': 'sgd', 'learning_rate': 0.02, 'momentum': 0.9},
    'optimizer': {'learning_rate': 0.015, 'schedule': 'cosine', 'final': 0.02},
    'evaluation': {
      'protocol': 'dc',
      'features': 'network',
      'validation_steps': 300,
      'validation_examples': 1000,
      'baselines': ('random', 'herding'),
    },
  }
  return ConfigDict(recipe.update(recipe.default('rat_bptt'), changes))
