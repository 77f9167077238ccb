r"""RFAD on MNIST as published (arXiv 2210.12067).

    python -m experiments.distill \
        --config=experiments/configs/published/mnist_rfad.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: of regression with
the exact NNGP of the infinite ConvNet 96.7 / 99.0 / 99.1, of networks of width
1,024 (`rfad`) 94.4 / 98.5 / 98.8. Those runs end after 1,000 steps without a
better validation loss, 100,000 at most.
Cost: a step is 16.3 TFLOP at 1 image per class; a GPU for hours.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 10) -> ConfigDict:
  changes = {
    'dataset': 'mnist',
    'ipc': ipc,
    'method': {'transform_rate': 5e-5},
    'evaluation': {'others': ('krr-ntk', 'rfad')},
  }
  return ConfigDict(recipe.update(recipe.default('rfad'), changes))
