"""RaT-BPTT on MNIST, sized for a CPU: narrow networks, SGD inside.

    dd-jax distill --dataset=mnist --method=rat_bptt --ipc=1

The inner loop is the beginning of the `dc-mnist` protocol's, augmentation
included. Starts from the real images nearest to the class means, 89.4 %, and
reaches 92.1 % in five minutes of one core. Published are figures for CIFAR only
(arXiv 2310.08566); RTP reaches 98.7 % with addressing (arXiv 2206.02916).
"""

from ml_collections import ConfigDict

from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'mnist',
    'preprocessing': 'standardise',
    'ipc': ipc,
    'num_steps': 300,
    'validate_every': 100,
    'augment': 'dc',
    'parameterization': {'start': 'kmeans', 'labels': 'simplex'},
    'method': {
      'inner_steps': 400,
      'window': 20,
      'batch_size': 128,
      'plan': 'plain',
    },
    'network': {'width': 32},
    'inner_optimizer': {'name': 'sgd', 'learning_rate': 0.01, 'momentum': 0.9},
    'optimizer': {'learning_rate': 5e-3, 'schedule': 'cosine', 'final': 0.05},
    'evaluation': {
      'protocol': 'dc-mnist',
      'features': 'network',
      'validation_steps': 500,
      'validation_examples': 1000,
      'baselines': ('random', 'herding'),
    },
  }
  return ConfigDict(recipe.update(recipe.default('rat_bptt'), changes))
