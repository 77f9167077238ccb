"""The field's other networks against the laws of every network."""

import pytest

from dd_jax import testing
from dd_jax.networks import NETWORKS, DenseNet, from_flax

CASES = {
  'vit': ('vit', {'width': 8, 'depth': 1, 'heads': 2, 'mlp_width': 8}, 8),
  'resnet18, batch': ('resnet18', {'width': 4, 'norm': 'batch'}, 8),
  'resnet18_ap': ('resnet18_ap', {'width': 4}, 16),
  'vgg11': ('vgg11', {'width': 4}, 32),
  'alexnet': ('alexnet', {'width': 16}, 8),
  'convnext_tiny': ('convnext_tiny', {'width': 4}, 32),
  'convnet': (
    'convnet',
    {'width': 4, 'norm': 'group', 'activation': 'swish', 'pooling': 'max'},
    8,
  ),
}


@pytest.mark.slow
@pytest.mark.parametrize('case', CASES)
def test_they_keep_the_laws(case):
  name, settings, side = CASES[case]
  shape = (side, side, 1)
  testing.check_network(lambda: NETWORKS[name](shape, 3, **settings), shape)


@pytest.mark.slow
def test_densenet_keeps_the_laws():
  shape = (16, 16, 1)
  module = DenseNet((2, 1), 3, growth=4)
  testing.check_network(lambda: from_flax(module, shape), shape)
