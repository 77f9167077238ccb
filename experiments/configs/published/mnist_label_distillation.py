r"""Label distillation on MNIST as published (arXiv 2006.08572).

    python -m experiments.distill \
        --config=experiments/configs/published/mnist_label_distillation.py:10

Published accuracy at 1 / 10 / 50 images per class, percent: 60.9 / 87.3 / 93.3.
Labels start uniform there, at the class here. Those runs chose their labels on
10,000 validation images, as this one does.
Cost: 19,600 steps of one small network on 1,024 images, under an hour on a GPU.
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 10) -> ConfigDict:
  changes = {
    'dataset': 'mnist',
    'ipc': ipc,
    'validation': 10000.0,
    'num_steps': 19600,
    'method': {'gap': 200 if ipc > 10 else 50},
  }
  return ConfigDict(
    recipe.update(recipe.default('label_distillation'), changes)
  )
