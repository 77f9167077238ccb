r"""FRePo on CIFAR-10 as published (arXiv 2206.00719).

    python -m experiments.distill \
        --config=experiments/configs/published/cifar10_frepo.py:10

Published accuracy of the networks at 1 / 10 / 50 images per class, percent:
46.8 / 65.5 / 71.7. Those runs chose their state on the test set; this
one does not.
Cost: 500,000 steps of a 128-256-512 ConvNet on 1,024 images, a GPU for hours.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 10) -> ConfigDict:
  changes = {
    'dataset': 'cifar10',
    'ipc': ipc,
    'method': {'flip': True},
  }
  return ConfigDict(recipe.update(recipe.default('frepo'), changes))
