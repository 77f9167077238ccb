r"""RTP on CIFAR-10: addressable memory by unrolled training.

    python -m experiments.distill \
        --config=experiments/configs/published/cifar10_rtp.py:1

Published accuracy at the storage of 1 / 10 / 50 images per class, percent:
66.4 / 71.2 / 73.6 (arXiv 2206.02916), decoded to 115 / 403 images of each class
at 1 and 10. The bases at 50 are this repository's choice: as many as at 10.
Published runs scored 300 epochs of ten networks at every evaluation.
Cost: 150 inner steps of up to 1,000 images, 500,000 times at most.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'cifar10',
    'ipc': ipc,
    'augment': 'flip_rotate',
    'parameterization': {
      'name': 'memory',
      'first': 'xavier',
      'bases': 16 if ipc == 1 else 64,
      'downsample': 2,
      'labels': 'fixed',
    },
  }
  return ConfigDict(recipe.update(recipe.default('bptt'), changes))
