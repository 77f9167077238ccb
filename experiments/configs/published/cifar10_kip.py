r"""KIP with a one-hidden-layer NTK on CIFAR-10 as published.

    python -m experiments.distill \
        --config=experiments/configs/published/cifar10_kip.py:10

Published kernel accuracy at 1 / 10 / 50 images per class, percent, with
augmented target batches (not part of this recipe):
40.5 / 53.1 / 58.6 (arXiv 2011.00050).
Cost: minutes on two CPU cores.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 10) -> ConfigDict:
  changes = {'dataset': 'cifar10', 'ipc': ipc, 'num_steps': 2000}
  return ConfigDict(recipe.update(recipe.default('kip'), changes))
