r"""IDC on Fashion-MNIST as published.

    python -m experiments.distill \
        --config=experiments/configs/published/fashion_mnist_idc.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: 81.0 / 86.0 / 86.2.
With `--config.parameterization.factor=1` it is IDC-I: 70.7 / 85.3 / 89.1.
Source: arXiv 2205.14959; those runs printed the best of four test evaluations.
Learners there train with augmentation and CutMix. Rates are for pixels in [0,
1]; here they are divided by the squared deviation by which pixels are
standardised. The published code also clips pixels to [0, 1].
Cost at 1 image per class: about 73 PFLOP, for 2,000 networks of width 128 and
100 rounds: 64 real images of each class matched, 500 trained on.
"""

from ml_collections import ConfigDict

from dd_jax import recipe

_DEVIATION = 0.353


def get_config(ipc: int = 10) -> ConfigDict:
  rate = 0.0001 * ipc / 10 / _DEVIATION**2
  changes = {
    'dataset': 'fashion_mnist',
    'ipc': ipc,
    'num_steps': 2_000_000,
    'validate_every': 100_000,
    'method': {
      'distance': 'l1',
      'train_size': 500,
      'strategy': 'color_crop_cutout',
      'inner_strategy': 'color_crop_flip_scale_rotate',
    },
    'parameterization': {'name': 'multi_formation', 'factor': 2},
    'optimizer': {'learning_rate': rate},
  }
  return ConfigDict(recipe.update(recipe.default('idc'), changes))
