r"""IDM on Tiny ImageNet as published.

    python -m experiments.distill \
        --config=experiments/configs/published/tiny_imagenet_idm.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: 10.1 / 21.9 / 27.7.
Source: arXiv 2307.09742.
Those runs chose their state on the test set, and trained learners with CutMix
and augmentation. At 1 image per class the real batch is all 500 images of a
class (the published 5,000 repeats them). There is no download of this set:
--dataset=FOLDER names its training images, a folder for each class.
Cost: 20,000 steps of 256 real images per class, and 20 training steps of 256
images each; a GPU for hours.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 10) -> ConfigDict:
  changes = {
    'dataset': 'tiny_imagenet',
    'ipc': ipc,
    'parameterization': {'name': 'multi_formation', 'factor': 2},
    'method': {
      'batch_size': 500 if ipc == 1 else 256,
      'queue_interval': 5 if ipc == 1 else 30,
      'class_weight': 0.8 if ipc >= 50 else 0.5,
      'train_steps': 50 if ipc == 50 else 10,
    },
  }
  return ConfigDict(recipe.update(recipe.default('idm'), changes))
