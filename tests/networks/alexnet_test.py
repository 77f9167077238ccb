"""AlexNet against NumPy, the published sizes, and what it refuses."""

import jax
import numpy as np
import plain
import pytest

from dd_jax.networks import alexnet
from dd_jax.types import UserError


def by_hand(params, x):
  """The logits of AlexNetBN, layer by layer as DC's code has them."""
  norms = plain.layers(params, 'BatchNorm')
  for i, p in enumerate(plain.layers(params, 'Conv')):
    x = plain.conv(x, p, padding=2 if i < 2 else 1)
    x = plain.relu(plain.batch_norm(x, next(norms)))
    x = plain.pooled(x, np.max) if i in (0, 1, 4) else x
  return plain.dense(x, params['head'])


def test_alexnet_is_the_published_one(x64):
  shape = (16, 20, 3)
  network = alexnet(shape, 3, width=4, norm='batch')
  variables, image = plain.drawn(network), plain.images(2, *shape)
  got = plain.logits(network, variables, image, train=True)
  want = by_hand(variables['params'], image)
  np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-10)


def test_28x28_is_padded_to_32x32():
  network = alexnet((28, 28, 1), 3, width=2)
  assert plain.sides(network, (28, 28, 1)) == [32, 16, 8, 8, 8, 4]


@pytest.mark.parametrize(
  'shape, norm, count',
  [
    ((32, 32, 3), 'none', 1_872_202),
    ((28, 28, 1), 'none', 1_865_802),
    ((32, 32, 3), 'batch', 1_874_122),
    ((64, 64, 3), 'none', 1_872_202 + 3 * 30_720),
  ],
)
def test_parameter_counts_are_the_published_ones(shape, norm, count):
  network = alexnet(shape, 10, norm=norm)
  variables = jax.eval_shape(network.init, jax.random.key(0))
  assert sum(a.size for a in jax.tree.leaves(variables['params'])) == count


def test_what_it_cannot_be_is_one_line():
  with pytest.raises(UserError, match='7 x 9 are too small for AlexNet'):
    alexnet((7, 9, 1), 10)
  with pytest.raises(UserError, match=r"network\.norm='bach'.*mean batch"):
    alexnet((8, 8, 1), 10, norm='bach')
