"""The method of `moments.py` on the digits, as a recipe file.

Run it with `--config=docs/examples/digits_moments.py` and `PYTHONPATH` set to
its folder.
"""

import moments  # noqa: F401 (registers the method)
from ml_collections import ConfigDict

from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  """Narrow networks: under a minute on two cores."""
  changes = {
    'dataset': 'digits',
    'ipc': ipc,
    'num_steps': 500,
    'network': {'width': 32},
    'method': {'spread': 0.5},
    'evaluation': {'network': {'name': 'convnet', 'width': 32}},
  }
  return ConfigDict(recipe.update(recipe.default('moments'), changes))
