r"""IDC on CIFAR-100 as published.

    python -m experiments.distill \
        --config=experiments/configs/published/cifar100_idc.py:10

Published accuracy, percent: 45.1 at 10 images per class.
With `--config.parameterization.factor=1` it is IDC-I: 36.6 at 10.
Source: arXiv 2205.14959; those runs printed the best of four test evaluations.
Learners there train with augmentation and CutMix. Rates are for pixels in [0,
1]; here they are divided by the squared deviation by which pixels are
standardised. The published code also clips pixels to [0, 1].
Cost at 1 image per class: about 560 PFLOP, for 2,000 networks of width 128 and
100 rounds: 64 real images of each class matched, 2,000 trained on.
"""

from ml_collections import ConfigDict

from dd_jax import recipe

_DEVIATION = 0.2009


def get_config(ipc: int = 10) -> ConfigDict:
  rate = 0.005 * ipc / 10 / _DEVIATION**2
  changes = {
    'dataset': 'cifar100',
    'ipc': ipc,
    'num_steps': 20_000_000,
    'validate_every': 1_000_000,
    'method': {
      'distance': 'mse',
      'train_size': 2000,
      'strategy': 'color_crop_cutout',
      'inner_strategy': 'color_crop_flip_scale_rotate',
    },
    'parameterization': {'name': 'multi_formation', 'factor': 2},
    'optimizer': {'learning_rate': rate},
  }
  return ConfigDict(recipe.update(recipe.default('idc'), changes))
