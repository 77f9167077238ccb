"""RaT-BPTT on MNIST, sized for a CPU: narrow networks, SGD inside.

    python -m experiments.distill --dataset=mnist --method=rat_bptt --ipc=1

The inner loop is the beginning of the `dc` protocol's, augmentation included.
Starts from the real images nearest to the class means. Published are figures
for CIFAR only (arXiv 2310.08566); RTP reaches 98.7 % with addressing (arXiv
2206.02916).
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'mnist',
    'preprocessing': 'standardise',
    'ipc': ipc,
    'num_steps': 500,
    'validate_every': 250,
    'augment': 'dc',
    'parameterization': {'start': 'kmeans'},
    'method': {
      'inner_steps': 150,
      'window': 20,
      'batch_size': 128,
      'plan': 'plain',
    },
    'network': {'width': 32},
    'inner_optimizer': {'name': 'sgd', 'learning_rate': 0.01, 'momentum': 0.9},
    'optimizer': {'learning_rate': 2e-2, 'schedule': 'cosine', 'final': 0.05},
    'evaluation': {
      'features': 'network',
      'validation_steps': 150,
      'validation_examples': 1000,
      'baselines': ('random', 'herding'),
    },
  }
  return ConfigDict(recipe.update(recipe.default('rat_bptt'), changes))
