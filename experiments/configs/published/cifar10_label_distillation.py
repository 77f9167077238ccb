r"""Label distillation on CIFAR-10 as published (arXiv 2006.08572).

    python -m experiments.distill \
        --config=experiments/configs/published/cifar10_label_distillation.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: 25.7 / 38.3 / 42.5.
The learner there is AlexCifarNet, here the ConvNet of the field. Labels start
uniform there, at the class here. Those runs chose their labels on 5,000
validation images, as this one does.
Cost: 17,600 steps of one small network on 1,024 images, under an hour on a GPU.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 10) -> ConfigDict:
  changes = {
    'dataset': 'cifar10',
    'ipc': ipc,
    'validation': 5000.0,
    'num_steps': 17600,
    'method': {'gap': 200 if ipc > 10 else 50},
    'network': {'name': 'convnet'},
    'evaluation': {'network': {'name': 'convnet'}},
  }
  return ConfigDict(
    recipe.update(recipe.default('label_distillation'), changes)
  )
