r"""Soft-label dataset distillation on CIFAR-10 (arXiv 1910.02551).

    python -m experiments.distill \
        --config=experiments/configs/published/cifar10_sldd.py:10

Published accuracy from one fixed initial network with 100 images, percent: 60.
The learner there is AlexCifarNet, here the ConvNet of the field. Adam has its
usual betas here, 0.5 and 0.999 there, and its rate falls by a cosine.
Cost: 19,600 steps of 30 inner steps each, hours on a GPU.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 10) -> ConfigDict:
  changes = {
    'dataset': 'cifar10',
    'ipc': ipc,
    'num_steps': 19_600,
    'method': {'init_seed': 1, 'batches': ipc, 'step_size': 0.001},
    'network': {'name': 'convnet'},
    'optimizer': {'schedule': 'cosine', 'final': 0.01},
    'evaluation': {'network': {'name': 'convnet'}},
  }
  return ConfigDict(recipe.update(recipe.default('sldd'), changes))
