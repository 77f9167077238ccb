"""DCC on MNIST, sized for a CPU.

    python -m experiments.distill --dataset=mnist --method=dcc --ipc=1

Gradients are compared class by class for the first ten networks (100 steps),
and averaged over classes from then on.
"""

from ml_collections import ConfigDict

from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'mnist',
    'ipc': ipc,
    'num_steps': 300,
    'validate_every': 150,
    'method': {'batch_size': 64, 'warm_up': 10},
    'network': {'width': 64},
    'parameterization': {'start': 'kmeans'},
    'optimizer': {'learning_rate': 0.3},
    'evaluation': {'validation_steps': 300, 'validation_examples': 1000},
  }
  return ConfigDict(recipe.update(recipe.default('dcc'), changes))
