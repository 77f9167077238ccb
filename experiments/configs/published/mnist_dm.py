r"""DM on MNIST as published.

    python -m experiments.distill \
        --config=experiments/configs/published/mnist_dm.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: 89.7 / 97.5 / 98.6.
Source: arXiv 2110.04181.
Learners there train with augmentation, for 1,000 epochs.
Cost: 20,000 steps that each pass 2,560 real images through a network of width
128; a GPU for hours.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 10) -> ConfigDict:
  changes = {
    'dataset': 'mnist',
    'ipc': ipc,
    'augment': 'color_crop_cutout_scale_rotate',
  }
  return ConfigDict(recipe.update(recipe.default('dm'), changes))
