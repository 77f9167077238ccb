"""Label distillation on the embedded digits, seconds on two cores.

    dd-jax distill --method=label_distillation --ipc=1

The learner is LeNet, as in the `ld` protocol that scores the result.
"""

from ml_collections import ConfigDict

from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'digits',
    'ipc': ipc,
    'num_steps': 2000,
    'validate_every': 250,
    'method': {'batch_size': 200},
    'evaluation': {'validation_learners': 5},
  }
  return ConfigDict(
    recipe.update(recipe.default('label_distillation'), changes)
  )
