r"""Label distillation as published (arXiv 2006.08572).

    dd-jax distill \
        --config=published/label_distillation:cifar10,10

Published accuracy, percent, by images per class, and how many validation images
those runs chose their labels on, as this one does:

    data set |    1 |   10 |   50 | validation
    mnist    | 60.9 | 87.3 | 93.3 |     10,000
    cifar10  | 25.7 | 38.3 | 42.5 |      5,000
    cifar100 | 11.5 |      |      |      5,000

On the CIFARs the learner there is AlexCifarNet, here the ConvNet of the field.
Labels start uniform there, at the class here.
Cost: 19,600 steps (CIFAR-10 17,600, CIFAR-100 35,200) of one small network on
1,024 images, under an hour on a GPU.
"""

from typing import NamedTuple

from ml_collections import ConfigDict

from dd_jax.checks import check_name
from dd_jax.run import recipe


class _Settings(NamedTuple):
  """What differs, in the order of the table."""

  ipc: int  # by default
  validation: float
  num_steps: int
  gap: int
  gap_of_many: int  # from 11 images per class on


DATASETS = {
  'mnist': _Settings(10, 10_000.0, 19_600, 50, 200),
  'cifar10': _Settings(10, 5000.0, 17_600, 50, 200),
  'cifar100': _Settings(1, 5000.0, 35_200, 100, 100),
}


def get_config(dataset: str = 'cifar10', ipc: int | None = None) -> ConfigDict:
  check_name('dataset', dataset, DATASETS)
  settings = DATASETS[dataset]
  ipc = ipc or settings.ipc
  changes = {
    'dataset': dataset,
    'ipc': ipc,
    'validation': settings.validation,
    'num_steps': settings.num_steps,
    'method': {'gap': settings.gap_of_many if ipc > 10 else settings.gap},
  }
  config = recipe.update(recipe.default('label_distillation'), changes)
  if dataset != 'mnist':  # its learner is the method's own
    learner = {'network': {'name': 'convnet'}}
    recipe.update(config, {**learner, 'evaluation': learner})
  return ConfigDict(config)
