r"""CAFE with DSA on SVHN as published.

    python -m experiments.distill \
        --config=experiments/configs/published/svhn_cropped_cafe.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: 42.9 / 77.9 / 82.3.
Source: arXiv 2203.01531; of the settings only those for CIFAR-10 are in its
code.
Those runs look at 2,000 networks, each until its accuracy settles; this one
takes 20,000 steps of the support set, which is at most as many networks.
Cost: each step, besides 256 real images per class, at least ten passes over 128
of them for the inner loop; a GPU for a day.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 10) -> ConfigDict:
  changes = {
    'dataset': 'svhn_cropped',
    'ipc': ipc,
    'augment': 'color_crop_cutout_scale_rotate',
  }
  return ConfigDict(recipe.update(recipe.default('cafe'), changes))
