"""The layers against Flax's own, with Flax's parameters."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.networks import layers
from dd_jax.types import UserError


def normal(*shape: int, seed: int = 0) -> jax.Array:
  return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def assert_equal_with_gradients(ours, theirs, variables, x, atol=1e-12):
  """Same value and same gradients in parameters and input."""
  assert jax.tree.map(jnp.shape, variables) == jax.tree.map(
    jnp.shape, ours.init(jax.random.key(0), x)
  )

  def both(module):
    out, pull = jax.vjp(module.apply, variables, x)
    return out, pull(jnp.cos(3 * out))

  got, want = jax.jit(lambda: (both(ours), both(theirs)))()
  assert got[0].dtype == jnp.float64
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=atol)


CONVOLUTIONS = {
  '3x3': ((3, 3), 1, 'SAME'),
  'padding 1': ((3, 3), 1, 1),
  'first layer': ((3, 3), 1, 3),
  'padding 0': ((3, 3), 1, 0),
  'valid': ((3, 3), 1, 'VALID'),
  'stride 2': ((3, 3), 2, 'SAME'),
  'stride 2, padding 1': ((3, 3), 2, 1),
  '5x5': ((5, 5), 1, 'SAME'),
  '1x1': ((1, 1), 1, 'VALID'),
  '1x3': ((1, 3), 1, 'SAME'),
}


@pytest.mark.parametrize('setting', CONVOLUTIONS.values(), ids=CONVOLUTIONS)
@pytest.mark.parametrize('implementation', ['closed', 'im2col', 'lax'])
def test_conv_is_flax_conv(x64, setting, implementation):
  size, stride, padding = setting
  x = normal(2, 7, 6, 3)
  ours = layers.Conv(4, size, stride, padding, implementation=implementation)
  theirs = nn.Conv(4, size, stride, padding, param_dtype=jnp.float64)
  variables = theirs.init(jax.random.key(1), x)
  variables['params']['bias'] = normal(4)
  assert_equal_with_gradients(ours, theirs, variables, x)


def test_conv_computes_in_the_dtype_of_its_input():
  x = normal(1, 4, 4, 2).astype('bfloat16')
  out, variables = layers.Conv(3).init_with_output(jax.random.key(0), x)
  assert out.dtype == jnp.bfloat16
  assert variables['params']['kernel'].dtype == jnp.float32


def test_an_unknown_convolution_is_refused_in_one_line():
  with pytest.raises(UserError, match='closed, im2col, lax') as error:
    layers.Conv(3, implementation='fft').init(
      jax.random.key(0), normal(1, 4, 4, 2)
    )
  assert "'fft'" in str(error.value) and '\n' not in str(error.value)


def test_dense_is_flax_dense(x64):
  x = normal(5, 7)
  theirs = nn.Dense(3, param_dtype=jnp.float64)
  variables = theirs.init(jax.random.key(1), x)
  variables['params']['bias'] = normal(3)
  assert_equal_with_gradients(layers.Dense(3), theirs, variables, x)


@pytest.mark.parametrize('shape', [(3, 5, 4, 6), (2, 1, 2, 3), (2, 1, 1, 3)])
def test_instance_norm_is_group_norm_of_one_channel(x64, shape):
  x = 2 + 3 * normal(*shape)
  theirs = nn.GroupNorm(
    num_groups=None, group_size=1, epsilon=1e-5, param_dtype=jnp.float64
  )
  names = ('scale', 'bias')
  params = {n: normal(shape[-1], seed=i) for i, n in enumerate(names)}
  assert_equal_with_gradients(
    layers.InstanceNorm(), theirs, {'params': params}, x, atol=1e-9
  )


def test_instance_norm_normalises_each_channel_of_each_image(x64):
  x = 5 + 2 * normal(3, 6, 5, 4)
  y, _ = layers.InstanceNorm().init_with_output(jax.random.key(0), x)
  np.testing.assert_allclose(y.mean((1, 2)), 0, atol=1e-12)
  np.testing.assert_allclose(y.var((1, 2)), 1, atol=1e-4)


@pytest.mark.parametrize('level', [0.0, 0.7, -300.0, 1e6])
def test_instance_norm_of_constant_images_is_finite(level):
  x = jnp.full((2, 4, 4, 3), level, jnp.float32)
  module = layers.InstanceNorm()
  variables = module.init(jax.random.key(0), x)
  value, gradients = jax.value_and_grad(
    lambda v, x: jnp.sum(jnp.sin(module.apply(v, x))), (0, 1)
  )(variables, x)
  assert all(jnp.isfinite(a).all() for a in jax.tree.leaves(gradients))
  assert jnp.isfinite(value)


@pytest.mark.parametrize('shape', [(4, 6), (5, 6), (4, 7), (7, 5), (1, 4)])
def test_average_pool_is_flax_avg_pool(x64, shape):
  x = normal(2, *shape, 3)
  theirs = lambda x: nn.avg_pool(x, (2, 2), (2, 2))
  weight = normal(*theirs(x).shape, seed=1)
  assert weight.shape == (2, shape[0] // 2, shape[1] // 2, 3)
  for got, want in zip(
    jax.vjp(layers.average_pool, x), jax.vjp(theirs, x), strict=True
  ):
    if callable(got):
      got, want = got(weight)[0], want(weight)[0]
    np.testing.assert_allclose(got, want, atol=1e-12)


@pytest.mark.parametrize('shape', [(4, 6), (5, 7), (1, 2)])
def test_wide_max_pool_is_flax_max_pool(x64, shape):
  x = normal(2, *shape, 3)
  around = ((1, 1), (1, 1))
  theirs = nn.max_pool(x, (3, 3), (2, 2), around)
  np.testing.assert_array_equal(layers.wide_max_pool(x), theirs)


def test_a_convolution_without_bias_has_none_and_subtracts_it(x64):
  x = normal(2, 5, 4, 3)
  made = layers.Conv(4, use_bias=False)
  params = {'kernel': normal(3, 3, 3, 4)}
  assert jax.tree.map(jnp.shape, made.init(jax.random.key(0), x)) == {
    'params': {'kernel': (3, 3, 3, 4)}
  }
  biased = {'params': {**params, 'bias': normal(4, seed=1)}}
  want = layers.Conv(4).apply(biased, x) - biased['params']['bias']
  got = made.apply({'params': params}, x)
  np.testing.assert_allclose(got, want, atol=1e-12)


class Normed(nn.Module):
  """One normalisation by name."""

  norm: str
  momentum: float = 0.9

  @nn.compact
  def __call__(self, x, train):
    return layers.norm_layer(self.norm, train=train, momentum=self.momentum)(x)


@pytest.mark.parametrize('momentum', [0.9, 0.1])
def test_batch_norm_keeps_momentum_of_the_old_statistics(momentum):
  x = 3 + 2 * normal(6, 5, 4, 3)
  module = Normed('batch', momentum)
  variables = module.init(jax.random.key(0), x, train=False)
  y, new = module.apply(variables, x, train=True, mutable=['batch_stats'])
  (statistics,) = new['batch_stats'].values()
  share = 1 - momentum
  np.testing.assert_allclose(
    statistics['mean'], share * x.mean((0, 1, 2)), rtol=1e-5
  )
  np.testing.assert_allclose(
    statistics['var'], momentum + share * x.var((0, 1, 2)), rtol=1e-5
  )
  np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-5)
  still = module.apply({**variables, **new}, x, train=False)
  want = (x - statistics['mean']) / jnp.sqrt(statistics['var'] + 1e-5)
  np.testing.assert_allclose(still, want, rtol=1e-4, atol=1e-5)


def test_no_norm_is_the_identity_and_instance_norm_has_no_statistics():
  x = normal(2, 4, 4, 3)
  y, variables = Normed('none').init_with_output(jax.random.key(0), x, True)
  np.testing.assert_array_equal(x, y)
  assert not variables
  variables = Normed('instance').init(jax.random.key(0), x, True)
  assert set(variables) == {'params'}


@pytest.mark.parametrize(
  'call, name, allowed',
  [
    (lambda: layers.norm_layer('odd', train=True), 'odd', 'instance, batch'),
    (lambda: layers.initializers('he', 3), 'he', "'torch', 'lecun'"),
  ],
)
def test_unknown_names_are_refused_in_one_line(call, name, allowed):
  with pytest.raises(UserError) as error:
    call()
  message = str(error.value)
  assert name in message and allowed in message and '\n' not in message


def test_torch_initialises_uniformly_within_one_over_root_fan_in():
  fan_in = 9 * 16
  bound = fan_in**-0.5
  for init in layers.initializers('torch', fan_in):
    a = init(jax.random.key(0), (3, 3, 16, 256))
    assert a.dtype == jnp.float32
    assert abs(a).max() <= bound
    assert a.max() > 0.999 * bound and a.min() < -0.999 * bound
    np.testing.assert_allclose(a.var(), bound**2 / 3, rtol=0.02)
    np.testing.assert_allclose(a.mean(), 0, atol=0.01 * bound)


def test_lecun_initialises_normally_with_variance_one_over_fan_in():
  weight, bias = layers.initializers('lecun', 9 * 16)
  a = weight(jax.random.key(0), (3, 3, 16, 256))
  np.testing.assert_allclose(a.var(), 1 / (9 * 16), rtol=0.02)
  assert jnp.all(bias(jax.random.key(0), (256,)) == 0)


def test_dense_takes_its_fan_in_from_its_input():
  x = normal(1, 400)
  variables = layers.Dense(500).init(jax.random.key(0), x)
  for a in jax.tree.leaves(variables):
    assert 0.95 / 20 < abs(a).max() <= 1 / 20
