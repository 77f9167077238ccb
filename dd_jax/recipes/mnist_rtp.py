r"""Addressable memory on MNIST by unrolled training, sized for a CPU.

    dd-jax distill --config=mnist_rtp:1

Bases and addresses in the storage of `ipc` plain images per class: at 1, 16
bases and 29 images of each class. They start from the truncated SVD of real
images. The gradient goes through a random window of 12 of 100 inner steps.
Published with 200 inner steps of a network of width 128, all differentiated:
98.7 % (arXiv 2206.02916). Reaches 92.9 % in 11 minutes of one busy core, by the
`dc-mnist` protocol with a network of width 32 and 500 steps.
"""

from ml_collections import ConfigDict

from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'mnist',
    'preprocessing': 'standardise',
    'ipc': ipc,
    'num_steps': 250,
    'validate_every': 50,
    'method': {
      'batch_size': 256,
      'inner_steps': 100,
      'inner_batch_size': 64,
      'window': 12,
      'plan': 'plain',
    },
    'parameterization': {
      'name': 'memory',
      'start': 'real',
      'bases': 16,
      'labels': 'fixed',
    },
    'network': {'width': 32},
    'inner_optimizer': {'name': 'sgd', 'learning_rate': 0.02, 'momentum': 0.9},
    'optimizer': {'learning_rate': 5e-3, 'schedule': 'cosine', 'final': 0.05},
    'evaluation': {
      'protocol': 'dc-mnist',
      'network': {'name': 'convnet', 'width': 32},
      'steps': 500,
      'learners': 2,
      'validation_steps': 500,
      'validation_examples': 1000,
      'features': 'network',
      'baselines': ('random', 'herding'),
    },
  }
  return ConfigDict(recipe.update(recipe.default('rat_bptt'), changes))
