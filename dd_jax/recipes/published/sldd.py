r"""Soft-label dataset distillation (arXiv 1910.02551).

    dd-jax distill \
        --config=published/sldd:mnist,1
    dd-jax distill \
        --config=published/sldd:cifar10,10

Published accuracy from one fixed initial network, percent: MNIST 96 with 10
images, which is this recipe; 92 with 5, for which
`--config.parameterization.name=few --config.parameterization.images=5`;
CIFAR-10 60 with 100 images.
On CIFAR-10 the learner there is AlexCifarNet, here the ConvNet of the field.
Adam has its usual betas here, 0.5 and 0.999 there, and its rate falls by a
cosine.
Cost: MNIST, 23,600 steps of LeNet on 10 images, minutes on a GPU; CIFAR-10,
19,600 steps of 30 inner steps each, hours on a GPU.
"""

from ml_collections import ConfigDict

from dd_jax.recipes.published import dd
from dd_jax.run import recipe

DATASETS = dd.DATASETS


def get_config(dataset: str = 'cifar10', ipc: int | None = None) -> ConfigDict:
  return ConfigDict(dd.fixed_start(recipe.default('sldd'), dataset, ipc))
