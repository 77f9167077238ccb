r"""Label distillation on CIFAR-100 as published (arXiv 2006.08572).

    python -m experiments.distill \
        --config=experiments/configs/published/cifar100_label_distillation.py:1

Published accuracy at 1 image per class, percent: 11.5. The learner there is
AlexCifarNet, here the ConvNet of the field. Labels start uniform there, at the
class here. Those runs chose their labels on 5,000 validation images, as this
one does.
Cost: 35,200 steps of one small network on 1,024 images, under an hour on a GPU.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'cifar100',
    'ipc': ipc,
    'validation': 5000.0,
    'num_steps': 35200,
    'method': {'gap': 100},
    'network': {'name': 'convnet'},
    'evaluation': {'network': {'name': 'convnet'}},
  }
  return ConfigDict(
    recipe.update(recipe.default('label_distillation'), changes)
  )
