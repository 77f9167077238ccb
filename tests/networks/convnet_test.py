"""ConvNet and FRePo's variant against the papers and plain Flax."""

from typing import get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import plain
import pytest

from dd_jax.networks import Network, convnet, frepo_convnet, layers
from dd_jax.networks.convnet import checked_depth
from dd_jax.types import UserError


def images(*shape: int, seed: int = 0) -> jax.Array:
  return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def started(network: Network):
  return jax.jit(network.init)(jax.random.key(0))


def applied(network: Network):
  return jax.jit(network.apply, static_argnames='train')


def assert_equal(got, want) -> None:
  assert jax.tree.structure(got) == jax.tree.structure(want)
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def pooled(x):
  return nn.avg_pool(x, (2, 2), (2, 2))


def widened(variables):
  """The variables in float64, biases and scales drawn away from 0 and 1."""
  leaves, tree = jax.tree.flatten(variables)
  return tree.unflatten(
    a + 0.3 * jnp.abs(images(*a.shape, seed=i)) if a.ndim == 1 else a * 1.0
    for i, a in enumerate(jnp.asarray(a, jnp.float64) for a in leaves)
  )


@pytest.mark.parametrize(
  'shape, classes, settings, count',
  [
    ((32, 32, 3), 10, {}, 320_010),
    ((28, 28, 1), 10, {}, 317_706),
    ((32, 32, 3), 100, {}, 504_420),
    ((64, 64, 3), 200, {}, 857_160),
    ((128, 128, 3), 10, {}, 615_690),
    ((32, 32, 3), 10, {'norm': 'layer'}, 663_306),
    ((32, 32, 3), 10, {'norm': 'group'}, 320_010),
    ((32, 32, 3), 10, {'pooling': 'none'}, 1_610_250),
    ((32, 32, 3), 10, {'pooling': 'max'}, 320_010),
  ],
)
def test_parameter_counts_are_the_published_ones(
  shape, classes, settings, count
):
  network = convnet(shape, classes, **settings)
  variables = jax.eval_shape(network.init, jax.random.key(0))
  assert sum(a.size for a in jax.tree.leaves(variables)) == count


def test_parameter_names_are_flax_names():
  network = frepo_convnet((16, 16, 3), 10, width=4)
  variables = jax.eval_shape(network.init, jax.random.key(0))
  params = variables['params']
  assert params['Conv_0']['kernel'].shape == (3, 3, 3, 4)
  assert params['Conv_1']['kernel'].shape == (3, 3, 4, 8)
  assert params['head']['kernel'].shape == (4 * 4 * 8, 10)


@pytest.mark.parametrize(
  'side, depth, last',
  [
    (4, 1, 2),
    (8, 1, 4),
    (12, 1, 6),
    (16, 2, 4),
    (28, 3, 4),
    (32, 3, 4),
    (48, 3, 6),
    (64, 4, 4),
    (96, 4, 6),
    (128, 5, 4),
  ],
)
def test_depth_follows_from_the_image_size(side, depth, last):
  shape = (side, side, 1)
  assert checked_depth(shape, None) == depth
  network = convnet(shape, 3, width=2)
  variables = jax.eval_shape(network.init, jax.random.key(0))
  assert variables['params']['head']['kernel'].shape == (2 * last**2, 3)


def test_depth_follows_from_the_shorter_side():
  network = convnet((16, 40, 1), 3, width=2)
  variables = jax.eval_shape(network.init, jax.random.key(0))
  assert variables['params']['head']['kernel'].shape == (2 * 4 * 10, 3)


@pytest.mark.parametrize(
  'shape, depth, words',
  [
    ((32, 32, 3), 5, ['network.depth=5', '32 x 32', '1 to 4']),
    ((28, 28, 1), 0, ['network.depth=0', '28 x 28', '1 to 4']),
    ((8, 8, 1), 3, ['network.depth=3', '8 x 8', '1 to 2']),
    ((8, 8, 1), -1, ['network.depth=-1']),
    ((3, 8, 1), None, ['3 x 8', '4 x 4']),
    ((1, 1, 1), 1, ['1 x 1', '4 x 4']),
  ],
)
@pytest.mark.parametrize('make', [convnet, frepo_convnet])
def test_a_last_map_below_2x2_is_refused_in_one_line(make, shape, depth, words):
  with pytest.raises(UserError) as error:
    make(shape, 10, depth=depth)
  assert all(word in str(error.value) for word in words), error.value
  assert '\n' not in str(error.value)


def test_the_deepest_allowed_net_ends_in_2x2():
  network = convnet((32, 32, 3), 10, width=2, depth=4)
  variables = started(network)
  out, _ = applied(network)(variables, jnp.zeros((1, 32, 32, 3)))
  assert out.taps[-1].shape == (1, 2, 2, 2)


@pytest.mark.parametrize('make', [convnet, frepo_convnet])
def test_28x28_is_padded_to_32x32(make):
  network = make((28, 28, 1), 10, width=2)
  variables = started(network)
  image = images(2, 28, 28, 1)
  out, _ = applied(network)(variables, image)
  assert [t.shape[1] for t in out.taps] == [32, 16, 8, 4]
  padded = jnp.pad(image, ((0, 0), (2, 2), (2, 2), (0, 0)))
  same, _ = applied(make((32, 32, 1), 10, width=2))(variables, padded)
  np.testing.assert_allclose(out.logits, same.logits, rtol=1e-5, atol=1e-6)


class Plain(nn.Module):
  """The ConvNet of DC in nothing but Flax."""

  width: int
  depth: int
  padding: int

  @nn.compact
  def __call__(self, x):
    for i in range(self.depth):
      padding = self.padding if i == 0 else 1
      x = nn.Conv(self.width, (3, 3), padding=padding, name=f'Conv_{i}')(x)
      x = nn.GroupNorm(
        None, group_size=1, epsilon=1e-5, name=f'InstanceNorm_{i}'
      )(x)
      x = nn.avg_pool(nn.relu(x), (2, 2), (2, 2))
    return nn.Dense(10, name='head')(x.reshape(x.shape[0], -1))


@pytest.mark.parametrize('convolution', ['closed', 'im2col', 'lax'])
@pytest.mark.parametrize('shape, padding', [((16, 20, 3), 1), ((28, 28, 1), 3)])
def test_convnet_is_the_plain_flax_net(x64, shape, padding, convolution):
  network = convnet(shape, 10, width=4, depth=2, convolution=convolution)
  plain = Plain(4, 2, padding)
  variables = widened(started(network))
  image = images(3, *shape)

  def gradients(apply):
    loss = lambda v, x: jnp.sum(jnp.sin(apply(v, x)))
    return jax.value_and_grad(loss, (0, 1))(variables, image)

  got, want = jax.jit(
    lambda: (
      gradients(lambda v, x: network.apply(v, x)[0].logits),
      gradients(plain.apply),
    )
  )()
  assert jnp.any(jax.tree.leaves(want)[-1])
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


NORMS = {
  'layer': lambda x, p: plain.normed(x, p, (1, 2, 3)),
  'group': lambda x, p: plain.normed(
    x.reshape(*x.shape[:3], 4, -1),
    {k: np.reshape(v, (4, -1)) for k, v in p.items()},
    (1, 2, 4),
  ).reshape(x.shape),
  'none': lambda x, p: x,
}
ACTIVATIONS = {
  'sigmoid': lambda x: 1 / (1 + np.exp(-x)),
  'leaky': lambda x: np.where(x > 0, x, 0.01 * x),
  'swish': lambda x: x / (1 + np.exp(-x)),
}
POOLINGS = {
  'max': lambda x: plain.pooled(x, np.max),
  'average': lambda x: plain.pooled(x, np.mean),
  'none': lambda x: x,
}


@pytest.mark.parametrize(
  'norm, activation, pooling',
  [
    ('layer', 'leaky', 'max'),
    ('group', 'swish', 'none'),
    ('none', 'sigmoid', 'average'),
  ],
)
def test_the_options_are_what_pytorch_calls_so(x64, norm, activation, pooling):
  network = convnet(
    (8, 10, 3), 3, width=8, norm=norm, activation=activation, pooling=pooling
  )
  variables, x = plain.drawn(network), plain.images(2, 8, 10, 3)
  got = plain.logits(network, variables, x)
  params = variables['params']
  kept = params.get(f'{norm.capitalize()}Norm_0')
  x = NORMS[norm](plain.conv(x, params['Conv_0'], padding=1), kept)
  x = POOLINGS[pooling](ACTIVATIONS[activation](x))
  want = plain.dense(x, params['head'])
  np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


def test_unknown_options_and_uneven_groups_are_refused_in_one_line():
  for field in ('norm', 'activation', 'pooling'):
    with pytest.raises(UserError, match=f"network.{field}='odd'") as error:
      convnet((8, 8, 1), 3, **{field: 'odd'})
    assert '\n' not in str(error.value)
  uneven = convnet((8, 8, 1), 3, width=6, norm='group')
  with pytest.raises(UserError, match=r'of 6 channels.*multiples of 4'):
    uneven.init(jax.random.key(0))


class PlainFrepo(nn.Module):
  """FRePo's ConvNet in nothing but Flax: norm before all but the first."""

  train: bool

  @nn.compact
  def __call__(self, x):
    for i, width in enumerate((4, 8, 16)):
      if i:
        x = nn.BatchNorm(
          not self.train, momentum=0.1, epsilon=1e-5, name=f'BatchNorm_{i}'
        )(x)
      x = nn.relu(nn.Conv(width, (3, 3), name=f'Conv_{i}')(x))
      x = nn.avg_pool(x, (2, 2), (2, 2))
    features = x.reshape(x.shape[0], -1)
    return features, nn.Dense(10, name='head')(features)


@pytest.mark.parametrize('train', [False, True])
def test_frepo_convnet_is_the_plain_flax_net(x64, train):
  network = frepo_convnet((32, 32, 3), 10, width=4)
  variables = widened(started(network))
  image = images(3, 32, 32, 3)
  out, new = applied(network)(variables, image, train=train)
  plain = PlainFrepo(train)
  (features, logits), statistics = jax.jit(
    lambda v: plain.apply(v, image, mutable=['batch_stats'])
  )(variables)
  np.testing.assert_allclose(out.features, features, rtol=1e-9, atol=1e-12)
  np.testing.assert_allclose(out.logits, logits, rtol=1e-9, atol=1e-12)
  want = {**variables, **statistics} if train else variables
  assert_equal(new, want)


def test_training_moves_frepo_statistics_nine_tenths_of_the_way():
  network = frepo_convnet((8, 8, 1), 3, width=4, depth=2)
  variables = started(network)
  image = 2 + images(6, 8, 8, 1)
  out, new = applied(network)(variables, image, train=True)
  (statistics,) = new['batch_stats'].values()
  seen = pooled(out.taps[0])
  np.testing.assert_allclose(
    statistics['mean'], 0.9 * seen.mean((0, 1, 2)), rtol=1e-4, atol=1e-6
  )
  np.testing.assert_allclose(
    statistics['var'], 0.1 + 0.9 * seen.var((0, 1, 2)), rtol=1e-4
  )
  assert_equal(new['params'], variables['params'])
  _, still = applied(network)({**variables, **new}, image)
  assert_equal(still, {**variables, **new})


@pytest.mark.parametrize('norm', get_args(layers.Norm))
@pytest.mark.parametrize('make', [convnet, frepo_convnet])
def test_every_norm_trains_and_evaluates(make, norm):
  network = make((8, 8, 1), 3, width=4, norm=norm)
  variables = started(network)
  frepo_with_one_block = make is frepo_convnet  # which has no norm at all
  has_statistics = norm == 'batch' and not frepo_with_one_block
  assert ('batch_stats' in variables) == has_statistics
  image = images(4, 8, 8, 1)
  out, new = applied(network)(variables, image, train=True)
  assert jax.tree.structure(new) == jax.tree.structure(variables)
  assert out.logits.shape == (4, 3)


@pytest.mark.parametrize('make', [convnet, frepo_convnet])
def test_an_unknown_norm_is_refused_in_one_line(make):
  with pytest.raises(UserError, match=r"norm='weight'.*layer, group, none"):
    make((16, 16, 1), 3, norm='weight').init(jax.random.key(0))


def test_taps_are_every_block_and_then_what_the_head_reads():
  network = convnet((16, 16, 3), 10, width=4, depth=2)
  variables = started(network)
  out, _ = applied(network)(variables, images(2, 16, 16, 3))
  shapes = [t.shape for t in out.taps]
  assert shapes == [(2, 16, 16, 4), (2, 8, 8, 4), (2, 4, 4, 4)]
  np.testing.assert_array_equal(out.features, out.taps[-1].reshape(2, -1))
  head = variables['params']['head']
  np.testing.assert_allclose(
    out.logits, out.features @ head['kernel'] + head['bias'], rtol=1e-5
  )
  np.testing.assert_allclose(pooled(out.taps[1]), out.taps[2], rtol=1e-5)


def test_initial_weights_are_torch_for_dc_and_lecun_for_frepo():
  for make, has_bias in ((convnet, True), (frepo_convnet, False)):
    params = started(make((16, 16, 3), 10, width=32))['params']
    for name, fan_in in (('Conv_0', 27), ('Conv_1', 9 * 32)):
      kernel, bias = params[name]['kernel'], params[name]['bias']
      bounded = float(abs(kernel).max()) <= fan_in**-0.5
      assert bounded == has_bias
      assert bool(jnp.any(bias != 0)) == has_bias


def test_seeds_differ_and_repeat():
  init = jax.jit(convnet((8, 8, 1), 3, width=4).init)
  one, again, other = (init(jax.random.key(seed)) for seed in (0, 0, 1))
  for a, b, c in zip(*map(jax.tree.leaves, (one, again, other)), strict=True):
    np.testing.assert_array_equal(a, b)
    if a.ndim > 1:
      assert jnp.all(a != c)
