"""KIP on the embedded digits: the main job of the README.

    dd-jax distill

Cost: under a minute on two CPU cores. Source of the method: arXiv 2011.00050;
nobody has published figures for this set.
"""

from ml_collections import ConfigDict

from dd_jax.run import recipe


def get_config(ipc: int = 10) -> ConfigDict:
  changes = {
    'dataset': 'digits',
    'ipc': ipc,
    'num_steps': 1000,
    'method': {'batch_size': 1000},
    'evaluation': {'others': ('krr-nngp',)},
  }
  return ConfigDict(recipe.update(recipe.default('kip'), changes))
