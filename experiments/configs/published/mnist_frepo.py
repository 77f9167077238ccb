r"""FRePo on MNIST as published (arXiv 2206.00719).

    python -m experiments.distill \
        --config=experiments/configs/published/mnist_frepo.py:10

Published accuracy of the networks at 1 / 10 / 50 images per class, percent:
93.0 / 98.6 / 99.2. Those runs chose their state on the test set; this
one does not.
Cost: 500,000 steps of a 128-256-512 ConvNet on 1,024 images, a GPU for hours.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 10) -> ConfigDict:
  changes = {
    'dataset': 'mnist',
    'ipc': ipc,
    'method': {'flip': False},
  }
  return ConfigDict(recipe.update(recipe.default('frepo'), changes))
