r"""Back-propagation through training on CIFAR-100: RTP without addressing.

    python -m experiments.distill \
        --config=experiments/configs/published/cifar100_bptt.py:1

Published accuracy at 1 / 10 images per class, percent: 21.3 / 34.7 (arXiv
2206.02916; with shared bases, the parameterization `memory`, it is that paper's
method). Those runs chose their state on the test set; this one does not. There
an iteration augments all its batches with the same flip or rotation; this
recipe has no augmentation.
Cost: 2 TFLOP an outer step, up to 500,000 of them: days on a GPU.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {'dataset': 'cifar100', 'ipc': ipc}
  return ConfigDict(recipe.update(recipe.default('bptt'), changes))
