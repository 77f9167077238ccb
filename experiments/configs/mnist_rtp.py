r"""Addressable memory on MNIST by unrolled training, sized for a CPU.

    python -m experiments.distill --config=experiments/configs/mnist_rtp.py:1

Bases and addresses in the storage of `ipc` plain images per class: at 1, 16
bases and 29 images of each class. They start from the truncated SVD of real
images. Published with 200 inner steps of a network of width 128: 98.7 % (arXiv
2206.02916). Scored by the `dc` protocol with a network of width 32, 500 steps.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'mnist',
    'ipc': ipc,
    'num_steps': 350,
    'validate_every': 0,
    'method': {
      'batch_size': 250,
      'inner_steps': 15,
      'inner_batch_size': 40,
      'plan': 'plain',
    },
    'parameterization': {
      'name': 'memory',
      'start': 'real',
      'bases': 16,
      'labels': 'fixed',
    },
    'network': {'width': 16},
    'inner_optimizer': {'name': 'sgd', 'learning_rate': 0.02, 'momentum': 0.9},
    'optimizer': {
      'name': 'adam',
      'learning_rate': 0.01,
      'momentum': 0.0,
      'schedule': 'cosine',
      'final': 0.1,
    },
    'evaluation': {
      'network': {'name': 'convnet', 'width': 32},
      'steps': 500,
      'learners': 2,
    },
  }
  return ConfigDict(recipe.update(recipe.default('bptt'), changes))
