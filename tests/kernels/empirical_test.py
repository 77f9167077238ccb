"""Empirical kernels against whole Jacobians and their infinite-width limit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.kernels import dense_kernel
from dd_jax.kernels.empirical import (
  _block,
  empirical_kernel,
  empirical_ntk,
)
from dd_jax.networks import NETWORKS, from_flax
from dd_jax.networks.mlp import MLP
from dd_jax.types import UserError

SHAPE, CLASSES = (8, 8, 1), 3
KEY = jax.random.key(0)
NETWORKS_HERE = {
  'mlp': NETWORKS['mlp'](SHAPE, CLASSES, width=5),
  'convnet': NETWORKS['convnet'](SHAPE, CLASSES, width=3, depth=2),
  'batch norm': NETWORKS['frepo_convnet'](SHAPE, CLASSES, width=2, depth=2),
}


def images(n, seed=0):
  return jnp.asarray(np.random.default_rng(seed).normal(size=(n, *SHAPE)))


def in_double(variables):
  return jax.tree.map(lambda a: a.astype(jnp.float64), variables)


def whole_ntk(network, variables, x, y):
  """All Jacobians at once, flat: `[n, m, k, k]`."""

  def jacobian(x):
    run = lambda p: network.apply({**variables, 'params': p}, x)[0].logits
    whole = jax.jit(jax.jacobian(run))(variables['params'])
    leaves = jax.tree.leaves(whole)
    return np.concatenate(
      [np.asarray(a).reshape(len(x), CLASSES, -1) for a in leaves], -1
    )

  return np.einsum('ncp,mdp->nmcd', jacobian(x), jacobian(y))


@pytest.mark.parametrize(
  'name, block', [('mlp', None), ('mlp', 2), ('convnet', 2), ('batch norm', 3)]
)
@pytest.mark.usefixtures('x64')
def test_ntk_is_the_product_of_whole_jacobians(name, block):
  network = NETWORKS_HERE[name]
  variables = in_double(network.init(KEY))
  x, y = images(3), images(5, 1)
  expected = whole_ntk(network, variables, x, y)
  ntk = jax.jit(
    lambda x, y: empirical_ntk(network, variables, x, y, block=block)
  )
  found = ntk(x, y)
  np.testing.assert_allclose(found, expected, atol=1e-12)
  kernel = jax.jit(empirical_kernel(network, variables, block=block))
  mean = np.trace(expected, axis1=2, axis2=3) / CLASSES
  np.testing.assert_allclose(kernel(x, y), mean, atol=1e-12)
  own = whole_ntk(network, variables, y, y)
  mean = np.trace(own, axis1=2, axis2=3) / CLASSES
  np.testing.assert_allclose(kernel(y, None), mean, atol=1e-12)


@pytest.mark.usefixtures('x64')
def test_nngp_is_the_product_of_features():
  network = NETWORKS_HERE['convnet']
  variables = in_double(network.init(KEY))
  x, y = images(5), images(2, 1)
  phi = [np.asarray(network.apply(variables, a)[0].features) for a in (x, y)]
  found = empirical_kernel(network, variables, 'nngp', block=2)(x, y)
  expected = phi[0] @ phi[1].T / phi[0].shape[1]
  np.testing.assert_allclose(found, expected, atol=1e-13)


def test_a_wide_network_has_the_infinite_one_s_kernel():
  """In NTK units: a layer's weights count once for each of its inputs."""
  width = 2000
  network = from_flax(MLP((width,), 1, 'nngp'), SHAPE)
  x = images(4).astype(jnp.float32)
  variables = network.init(KEY)
  settings = {'parametrization': 'standard', 'width': width}
  exact = dense_kernel('ntk', **settings)(x, None)
  found = empirical_kernel(network, variables)(x, None)
  np.testing.assert_allclose(found, exact, rtol=0.1, atol=0.1 * exact.max())
  features = empirical_kernel(network, variables, 'nngp')(x, None)
  nngp = dense_kernel('nngp')(x, None)
  np.testing.assert_allclose(
    2 * features + 0.01, nngp, atol=0.15 * float(nngp.max())
  )


@pytest.mark.usefixtures('x64')
def test_gradient_is_that_of_differences():
  plain = NETWORKS['frepo_convnet'](
    SHAPE, CLASSES, width=2, depth=1, norm='none', sharpness=3.0
  )
  variables = in_double(plain.init(KEY))
  kernel = empirical_kernel(plain, variables, block=2)
  x, y, direction = images(3), images(2, 1), images(3, 2)
  total = jax.jit(lambda x: jnp.sum(jnp.sin(kernel(x, y))))
  slope = jnp.vdot(jax.jit(jax.grad(total))(x), direction)
  h = 1e-6
  difference = (total(x + h * direction) - total(x - h * direction)) / (2 * h)
  assert float(slope) == pytest.approx(float(difference), rel=1e-6)


def test_blocks_follow_from_the_budget():
  network = NETWORKS['mlp']((32, 32, 3), 10, width=1024)
  variables = jax.eval_shape(network.init, KEY)
  size = sum(a.size for a in jax.tree.leaves(variables))
  x = jax.ShapeDtypeStruct((7, 32, 32, 3), jnp.float32)
  blocks = []

  def measure(variables, x):
    blocks.append(_block(network, variables, x))
    return x

  jax.eval_shape(measure, variables, x)
  assert blocks == [2**29 // (2 * 4 * 10 * size)]


def test_mistakes_are_told_in_one_line():
  network = NETWORKS_HERE['mlp']
  with pytest.raises(UserError, match="get='cntk'"):
    empirical_kernel(network, {}, 'cntk')
  with pytest.raises(UserError, match='block=0'):
    empirical_kernel(network, {}, block=0)
