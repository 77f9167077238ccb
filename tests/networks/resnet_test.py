"""ResNets against NumPy, the published sizes, and what they refuse."""

import functools

import jax
import numpy as np
import plain
import pytest

from dd_jax.networks import (
  ResNet,
  from_flax,
  resnet18,
  resnet18_ap,
  resnet34,
  resnet50,
)
from dd_jax.types import UserError

NORMS = {'batch': plain.batch_norm, 'instance': plain.instance_norm}


def normed(block, name, normalise, x, *, pooled=False, **how):
  """The convolution of a block and what is done to it."""
  part = block[name]
  (norm,) = (part[k] for k in part if k != 'Conv_0')
  x = plain.conv(x, part['Conv_0'], **how)
  return normalise(plain.pooled(x, np.mean) if pooled else x, norm)


def basic(block, normalise, x, stride, pooled):
  """DC's BasicBlock, and BasicBlock_AP where it is `pooled`."""
  halves = pooled and stride == 2
  each = functools.partial(normed, block, normalise=normalise)
  step = 1 if pooled else stride
  y = plain.relu(each('ConvNorm_0', x=x, stride=step, padding=1))
  y = plain.pooled(y, np.mean) if halves else y
  y = each('ConvNorm_1', x=y, padding=1)
  if 'ConvNorm_2' in block:
    x = each('ConvNorm_2', x=x, stride=step, pooled=halves)
  return plain.relu(y + x)


def bottleneck(block, normalise, x, stride, pooled):
  assert not pooled
  each = functools.partial(normed, block, normalise=normalise)
  y = plain.relu(each('ConvNorm_0', x=x))
  y = plain.relu(each('ConvNorm_1', x=y, stride=stride, padding=1))
  y = each('ConvNorm_2', x=y)
  if 'ConvNorm_3' in block:
    x = each('ConvNorm_3', x=x, stride=stride)
  return plain.relu(y + x)


def by_hand(params, x, block, norm, blocks, stem='3x3', pooled=False):
  """The logits; `blocks` is how many there are in each stage."""
  each = functools.partial(normed, params, 'ConvNorm_0', NORMS[norm])
  if stem == '7x7':
    x = plain.relu(each(x, stride=2, padding=3))
    x = plain.pooled(x, np.max, size=3, padding=1)
  else:
    x = plain.relu(each(x, padding=1))
  kind, i = block.__name__.capitalize(), 0
  for stage, count in enumerate(blocks):
    for first in [True] + [False] * (count - 1):
      stride = 2 if stage and first else 1
      x = block(params[f'{kind}_{i}'], NORMS[norm], x, stride, pooled)
      i += 1
  assert i == sum(k.startswith(kind) for k in params)
  return plain.dense(x if pooled else x.mean((1, 2)), params['head'])


def check(network, shape, block, norm, blocks, **how):
  variables, image = plain.drawn(network), plain.images(3, *shape)
  got = plain.logits(network, variables, image, train=True)
  want = by_hand(variables['params'], image, block, norm, blocks, **how)
  np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-8)


def test_basic_blocks_are_the_published_ones(x64):
  shape = (10, 19, 1)
  network = from_flax(ResNet((2, 1, 1, 1), 3, 2), shape)
  check(network, shape, basic, 'instance', (2, 1, 1, 1))


def test_resnet18_ap_is_the_published_one(x64):
  shape = (18, 25, 1)
  network = resnet18_ap(shape, 3, width=2, norm='batch')
  check(network, shape, basic, 'batch', (2, 2, 2, 2), pooled=True)


def test_the_wide_stem_is_the_published_one(x64):
  shape = (35, 40, 3)
  network = from_flax(ResNet((1, 1, 1, 1), 3, 2, stem='7x7'), shape)
  check(network, shape, basic, 'instance', (1, 1, 1, 1), stem='7x7')


def test_bottlenecks_are_the_published_ones(x64):
  shape = (12, 12, 3)
  network = from_flax(
    ResNet((1, 2, 1, 1), 3, 2, 'batch', bottleneck=True), shape
  )
  check(network, shape, bottleneck, 'batch', (1, 2, 1, 1))


@pytest.mark.parametrize(
  'make, shape, settings, count',
  [
    (resnet18, (32, 32, 3), {}, 11_173_962),
    (resnet18, (28, 28, 1), {}, 11_172_810),
    (resnet18, (64, 64, 3), {'norm': 'batch'}, 11_173_962),
    (resnet34, (32, 32, 3), {}, 21_282_122),
    (resnet50, (32, 32, 3), {}, 23_520_842),
    (resnet18_ap, (32, 32, 3), {}, 11_250_762),
    (resnet18_ap, (28, 28, 1), {}, 11_213_770),
    (resnet18, (32, 32, 3), {'stem': '7x7', 'norm': 'batch'}, 11_181_642),
  ],
)
def test_parameter_counts_are_the_published_ones(make, shape, settings, count):
  network = make(shape, 10, **settings)
  variables = jax.eval_shape(network.init, jax.random.key(0))
  assert sum(a.size for a in jax.tree.leaves(variables['params'])) == count


def test_statistics_move_a_tenth_of_the_way_in_training_alone(x64):
  shape = (8, 8, 1)
  network = from_flax(ResNet((1, 1, 1, 1), 3, 2, 'batch'), shape)
  variables, image = plain.drawn(network), plain.images(4, *shape)
  apply = jax.jit(network.apply, static_argnames='train')
  _, new = apply(variables, image, train=True)
  name = ('ConvNorm_0', 'BatchNorm_0', 'mean')
  pick = lambda v: functools.reduce(dict.__getitem__, name, v['batch_stats'])
  kernel = variables['params']['ConvNorm_0']['Conv_0']
  seen = plain.conv(image, kernel, padding=1).mean((0, 1, 2))
  want = 0.9 * pick(variables) + 0.1 * seen
  np.testing.assert_allclose(pick(new), want, rtol=1e-9)
  _, same = apply(new, image)
  np.testing.assert_array_equal(pick(same), pick(new))


@pytest.mark.parametrize(
  'make, side, settings, words',
  [
    (resnet18, 8, {}, ['8 x 8', '9 x 9 and more', "norm='instance'"]),
    (resnet50, 32, {'stem': '7x7'}, ['32 x 32', '33 x 33', "stem='7x7'"]),
    (resnet18_ap, 15, {}, ['15 x 15', '16 x 16', "norm='instance'"]),
    (resnet18_ap, 7, {'norm': 'batch'}, ['7 x 7', '8 x 8', "norm='batch'"]),
    (resnet18, 32, {'stem': '5x5'}, ["network.stem='5x5'", '3x3, 7x7']),
  ],
)
def test_what_they_cannot_be_is_one_line(make, side, settings, words):
  with pytest.raises(UserError) as error:
    make((side, side, 3), 10, **settings)
  assert all(word in str(error.value) for word in words), error.value
  assert '\n' not in str(error.value)


@pytest.mark.parametrize('side', [9, 33])
def test_instance_norm_never_sees_a_single_pixel(side):
  """At the sizes that are allowed: there it would make a constant of it."""
  for stem, least in (('3x3', 9), ('7x7', 33)):
    if side >= least:
      shape = (side, side, 3)
      network = resnet18(shape, 10, stem=stem, width=1)
      assert plain.sides(network, shape)[-1] >= 2
