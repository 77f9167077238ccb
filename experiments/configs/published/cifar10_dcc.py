r"""DCC on CIFAR-10 as published.

    python -m experiments.distill \
        --config=experiments/configs/published/cifar10_dcc.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: 34.0 / 54.5 / 64.2.
Source: arXiv 2202.02916.
These are the figures of its variant under siamese augmentation (DSAC).
Learners there train with augmentation, for 1,000 epochs.
Cost at 1 / 10 / 50 images per class: about 7.8 / 22 / 130 PFLOP, for 1,000
networks of width 128 and 2,560 real images an outer step.
"""

from ml_collections import ConfigDict

from dd_jax import recipe
from dd_jax.methods.gradient_matching import loops


def get_config(ipc: int = 10) -> ConfigDict:
  outer_steps, _ = loops(ipc, 'dcc')
  changes = {
    'dataset': 'cifar10',
    'ipc': ipc,
    'num_steps': 1000 * outer_steps,
    'validate_every': 100 * outer_steps,
    'augment': 'color_crop_cutout_flip_scale_rotate',
  }
  return ConfigDict(recipe.update(recipe.default('dcc'), changes))
