r"""M3D on CIFAR-100 as published.

    python -m experiments.distill \
        --config=experiments/configs/published/cifar100_m3d.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: 26.2 / 42.4 / 50.9.
Source: arXiv 2312.15927.
Those runs chose their state on the test set. Their learning rate and the number
of steps for which a network is kept are not published: DM's rate and 1 stand
in, so this recipe may fall short.
Cost: 20,000 steps, each like one of DM; a GPU for hours.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 10) -> ConfigDict:
  changes = {
    'dataset': 'cifar100',
    'ipc': ipc,
    'parameterization': {'name': 'multi_formation', 'factor': 2},
  }
  return ConfigDict(recipe.update(recipe.default('m3d'), changes))
