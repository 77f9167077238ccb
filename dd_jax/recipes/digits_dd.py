"""Dataset distillation on the embedded digits, from one initial network.

    dd-jax distill --dataset=digits --method=dd --ipc=1

Seconds on two cores. Scored by the `dd` protocol: the learned steps from that
initial network.
"""

from ml_collections import ConfigDict

from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'digits',
    'ipc': ipc,
    'num_steps': 500,
    'validate_every': 100,
    'method': {'init_seed': 1, 'batch_size': 200, 'step_size': 0.1},
    'optimizer': {'learning_rate': 2e-2},
  }
  return ConfigDict(recipe.update(recipe.default('dd'), changes))
