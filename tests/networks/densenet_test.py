"""DenseNet against NumPy, the published size, and what it refuses."""

import jax
import numpy as np
import plain
import pytest

from dd_jax.networks import DenseNet, densenet121, from_flax
from dd_jax.types import UserError


def by_hand(params, x, blocks):
  """The logits, as torchvision has them, in training."""
  convs = plain.layers(params, 'Conv')
  stem = params['ConvNorm_0']
  first = lambda x: plain.relu(plain.batch_norm(x, stem['BatchNorm_0']))
  own = plain.layers(
    {k: v for k, v in params.items() if not k.startswith('ConvNorm')},
    'BatchNorm',
  )
  ready = lambda x: plain.relu(plain.batch_norm(x, next(own)))
  narrow = plain.layers(
    {k: v for k, v in params.items() if k != 'ConvNorm_0'}, 'ConvNorm'
  )
  normed = [v['BatchNorm_0'] for v in narrow if 'BatchNorm_0' in v]
  x = first(plain.conv(x, next(convs), stride=2, padding=3))
  x = plain.pooled(x, np.max, size=3, padding=1)
  for i, count in enumerate(blocks):
    if i:
      x = plain.pooled(plain.conv(ready(x), next(convs)), np.mean)
    for _ in range(count):
      y = plain.conv(ready(x), next(convs))
      y = plain.relu(plain.batch_norm(y, normed.pop(0)))
      x = np.concatenate([x, plain.conv(y, next(convs), padding=1)], -1)
  return plain.dense(ready(x).mean((1, 2)), params['head'])


def test_it_is_the_published_one(x64):
  shape, blocks = (18, 21, 3), (2, 1)
  network = from_flax(DenseNet(blocks, 3, growth=2), shape)
  variables, image = plain.drawn(network), plain.images(3, *shape)
  got = plain.logits(network, variables, image, train=True)
  want = by_hand(variables['params'], image, blocks)
  np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-8)


def test_the_parameter_count_is_the_published_one():
  network = densenet121((32, 32, 3), 10)
  variables = jax.eval_shape(network.init, jax.random.key(0))
  found = sum(a.size for a in jax.tree.leaves(variables['params']))
  assert found == 6_964_106


@pytest.mark.parametrize(
  'side, norm, least', [(28, 'batch', 29), (32, 'instance', 61)]
)
def test_small_images_are_refused_in_one_line(side, norm, least):
  with pytest.raises(UserError) as error:
    densenet121((side, side, 3), 10, norm=norm)
  text = str(error.value)
  assert f'{side} x {side}' in text and f'{least} x {least} and more' in text
  assert f"norm='{norm}'" in text and '\n' not in text
