"""Trajectory matching on MNIST, sized for a CPU."""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'mnist',
    'preprocessing': 'standardise',
    'ipc': ipc,
    'num_steps': 1500,
    'validate_every': 500,
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
