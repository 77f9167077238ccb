"""Trajectory matching on MNIST, sized for a CPU: four minutes of one core.

    python -m experiments.distill --dataset=mnist --method=mtt --ipc=1

Six experts of width 32, 250 steps each, are trained first (95 s) and kept in
the cache. The images start from those nearest to the class means. The published
runs (100 experts of width 128, 50 epochs) reach 91.4 % at 1 image per class
(arXiv 2203.11932). Scored by the `dc` protocol with its own network.
"""

from ml_collections import ConfigDict

from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'mnist',
    'preprocessing': 'standardise',
    'ipc': ipc,
    'num_steps': 600,
    'validate_every': 200,
    'augment': 'none',
    'parameterization': {'start': 'kmeans'},
    'method': {
      'inner_steps': 15,
      'expert_epochs': 2,
      'max_start': 4,
      'step_size': 0.05,
      'step_size_rate': 2.5e-5,
    },
    'network': {'width': 32},
    'optimizer': {'name': 'adam', 'learning_rate': 2e-2, 'momentum': 0.0},
    'experts': {
      'count': 6,
      'epochs': 0,
      'epoch_steps': 50,
      'batch_size': 128,
      'step_size': 0.05,
      'augment': 'none',
    },
    'evaluation': {
      'protocol': 'dc',
      'others': (),
      'learners': 5,
      'validation_steps': 150,
      'validation_examples': 500,
      'baselines': ('random', 'herding'),
    },
  }
  return ConfigDict(recipe.update(recipe.default('mtt'), changes))
