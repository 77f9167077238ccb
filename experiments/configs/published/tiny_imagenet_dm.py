r"""DM on Tiny ImageNet as published.

    python -m experiments.distill \
        --config=experiments/configs/published/tiny_imagenet_dm.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: 3.9 / 12.9 / 24.1.
Source: arXiv 2110.04181.
Learners there train with augmentation, for 1,000 epochs. There is no download
of this set: --dataset=FOLDER names its training images, a folder for each
class.
Cost: 20,000 steps that each pass 51,200 real images through a network of width
128; a GPU for hours.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 10) -> ConfigDict:
  changes = {
    'dataset': 'tiny_imagenet',
    'ipc': ipc,
  }
  return ConfigDict(recipe.update(recipe.default('dm'), changes))
