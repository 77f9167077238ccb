"""DSA on Fashion-MNIST, sized for a CPU.

    dd-jax distill --dataset=fashion_mnist --method=dsa --ipc=1

The published recipe (`published/dsa.py`) takes 1,000 steps of a
network twice as wide on 256 real images of each class, and reaches 70.6 %
at 1 image per class.

Flips stay, as published: with and without, after 200 steps (one seed, two
learners), 70.2 ± 0.2 and 70.4 ± 0.4 by the `dc` protocol, beside 52.3 of random
images.
"""

from ml_collections import ConfigDict

from dd_jax.recipes._common import GRADIENT_MATCHING
from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  config = recipe.update(recipe.default('dsa'), GRADIENT_MATCHING)
  changes = {'dataset': 'fashion_mnist', 'ipc': ipc}
  return ConfigDict(recipe.update(config, changes))
