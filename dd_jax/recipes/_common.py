"""What several of these recipes share: the published settings, cut to a CPU.

Each recipe tells the rest: its set, its length, and the numbers of its own.
"""

from dd_jax.run.recipe import Config

# DC and its descendants: 300 steps of a network half as wide, on a quarter of
# the real images; from k-means, at three times the rate.
GRADIENT_MATCHING: Config = {
  'num_steps': 300,
  'validate_every': 150,
  'method': {'batch_size': 64},
  'network': {'width': 64},
  'parameterization': {'start': 'kmeans'},
  'optimizer': {'learning_rate': 0.3},
  'evaluation': {
    'protocol': 'dc',
    'validation_steps': 300,
    'validation_examples': 1000,
  },
}

# DM and its descendants: a network half as wide on a quarter of the real
# images; the last state is returned, and one baseline scored.
DISTRIBUTION_MATCHING: Config = {
  'validate_every': 0,
  'method': {'batch_size': 64},
  'network': {'width': 64},
  'evaluation': {'protocol': 'dc', 'baselines': ('random',)},
}

# MTT: six narrow experts of a few epochs, Adam on the images, no augmentation.
# Scored by `dc`, whose learners train for fewer steps where they only select.
TRAJECTORY_MATCHING: Config = {
  'augment': 'none',
  'method': {'expert_epochs': 2, 'step_size': 0.05, 'step_size_rate': 2.5e-5},
  'network': {'width': 32},
  'optimizer': {'name': 'adam', 'learning_rate': 2e-2, 'momentum': 0.0},
  'experts': {
    'count': 6,
    'epochs': 0,
    'batch_size': 128,
    'augment': 'none',
  },
  'evaluation': {
    'protocol': 'dc',
    'learners': 5,
    'validation_steps': 150,
    'validation_examples': 500,
    'baselines': ('random', 'herding'),
  },
}
