"""DCC on MNIST, sized for a CPU.

    dd-jax distill --dataset=mnist --method=dcc --ipc=1

Gradients are compared class by class for the first ten networks (100 steps),
and averaged over classes from then on.
"""

from ml_collections import ConfigDict

from dd_jax.recipes._common import GRADIENT_MATCHING
from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  config = recipe.update(recipe.default('dcc'), GRADIENT_MATCHING)
  changes = {
    'dataset': 'mnist',
    'evaluation': {'protocol': 'dc-mnist'},
    'ipc': ipc,
    'method': {'warm_up': 10},
  }
  return ConfigDict(recipe.update(config, changes))
