"""VGG against NumPy, the published sizes, and what it refuses."""

import jax
import numpy as np
import plain
import pytest

from dd_jax.networks import vgg11, vgg13, vgg16, vgg19
from dd_jax.types import UserError

# DC's list for VGG-11: channels in units of 64, and where the map is halved.
VGG11 = (1, 'M', 2, 'M', 4, 4, 'M', 8, 8, 'M', 8, 8, 'M')


def by_hand(params, x):
  """The logits, layer by layer as DC's code has them."""
  convs = plain.layers(params, 'Conv')
  norms = plain.layers(params, 'InstanceNorm')
  for layer in VGG11:
    if layer == 'M':
      x = plain.pooled(x, np.max)
      continue
    x = plain.conv(x, next(convs), padding=1)
    assert x.shape[-1] == 2 * layer
    x = plain.relu(plain.instance_norm(x, next(norms)))
  return plain.dense(x.mean((1, 2)), params['head'])


def test_vgg11_is_the_published_one(x64):
  shape = (32, 64, 3)
  network = vgg11(shape, 3, width=2)
  variables, image = plain.drawn(network), plain.images(2, *shape)
  got = plain.logits(network, variables, image)
  want = by_hand(variables['params'], image)
  np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-9)


def test_28x28_is_padded_to_32x32():
  network = vgg11((28, 28, 1), 3, width=2)
  assert plain.sides(network, (28, 28, 1))[:3] == [32, 16, 8]


@pytest.mark.parametrize(
  'make, side, channels, count',
  [
    (vgg11, 32, 3, 9_231_114),
    (vgg11, 28, 1, 9_229_962),
    (vgg11, 64, 3, 9_231_114),
    (vgg13, 32, 3, 9_416_010),
    (vgg16, 32, 3, 14_728_266),
    (vgg19, 32, 3, 20_040_522),
  ],
)
def test_parameter_counts_are_the_published_ones(make, side, channels, count):
  network = make((side, side, channels), 10)
  variables = jax.eval_shape(network.init, jax.random.key(0))
  assert sum(a.size for a in jax.tree.leaves(variables)) == count


@pytest.mark.parametrize('side', [8, 29, 31])
def test_small_images_are_refused_in_one_line(side):
  with pytest.raises(UserError) as error:
    vgg11((side, 40, 3), 10)
  text = str(error.value)
  assert f'{side} x 40 are too small for VGG' in text and '\n' not in text
  assert 'allowed are 32 x 32 and more' in text
