r"""RCIG on Fashion-MNIST as published (arXiv 2302.06755).

    python -m experiments.distill \
        --config=experiments/configs/published/fashion_mnist_rcig.py:10

Published accuracy of the networks at 1 / 10 / 50 images per class, percent:
79.8 / 88.5 / 90.2. Linear systems are solved by conjugate gradients here,
by 20 steps of Adam there.
Cost: thousands of steps of a 128-256-512 ConvNet, linearised, on 1,024 images
and of 60 to 80 passes over the distilled ones: a GPU for hours.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 10) -> ConfigDict:
  changes = {
    'dataset': 'fashion_mnist',
    'ipc': ipc,
    'num_steps': 10_000,
    'method': {'flip': False},
    'evaluation': {'protocol': 'rcig', 'others': ('frepo',)},
  }
  return ConfigDict(recipe.update(recipe.default('rcig'), changes))
