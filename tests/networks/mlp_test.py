"""The perceptron against matrix products; networks as two functions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.networks import MLP, NETWORKS, from_flax, mlp


def image(*shape: int) -> jax.Array:
  return jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)


def test_mlp_is_three_matrix_products():
  network = mlp((4, 5, 2), 3, width=6)
  variables = jax.jit(network.init)(jax.random.key(0))
  x = image(7, 4, 5, 2)
  out, same = network.apply(variables, x)
  params = jax.tree.map(np.asarray, variables['params'])
  affine = lambda a, p: a @ p['kernel'] + p['bias']
  first = np.maximum(affine(np.asarray(x).reshape(7, -1), params['Dense_0']), 0)
  second = np.maximum(affine(first, params['Dense_1']), 0)
  assert len(out.taps) == 2
  for got, want in (
    (out.taps[0], first),
    (out.taps[1], second),
    (out.features, second),
    (out.logits, affine(second, params['head'])),
  ):
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
  assert same is variables


@pytest.mark.parametrize('depth, count', [(1, 101_770), (2, 118_282)])
def test_parameter_counts(depth, count):
  network = mlp((28, 28, 1), 10, depth=depth)
  variables = jax.eval_shape(network.init, jax.random.key(0))
  assert sum(a.size for a in jax.tree.leaves(variables)) == count


def test_weights_are_within_one_over_root_fan_in():
  params = jax.jit(mlp((10, 10, 1), 10).init)(jax.random.key(0))['params']
  for name, fan_in in (('Dense_0', 100), ('Dense_1', 128), ('head', 128)):
    for a in params[name].values():
      assert 0.5 < abs(a).max() * fan_in**0.5 <= 1


def test_any_module_becomes_a_network():
  network = from_flax(MLP((4,), 2, 'lecun'), (3, 3, 1))
  variables = jax.jit(network.init)(jax.random.key(0))
  out, _ = network.apply(variables, image(5, 3, 3, 1), train=True)
  assert out.logits.shape == (5, 2)


@pytest.mark.parametrize('name', NETWORKS)
def test_every_named_network_maps_images_to_logits_in_float32(name):
  """At its published size, by shapes alone."""
  network = NETWORKS[name]((32, 32, 1), 4)
  variables = jax.eval_shape(network.init, jax.random.key(0))
  train = functools.partial(network.apply, train=True)
  shown = jax.ShapeDtypeStruct((3, 32, 32, 1), jnp.float32)
  out, new = jax.eval_shape(train, variables, shown)
  assert out.logits.shape == (3, 4) and out.features.shape[0] == 3
  leaves = jax.tree.leaves((variables, new, out))
  drawn = {'uint32'} if 'rng' in variables else set()  # of dropout
  assert {str(a.dtype) for a in leaves} == {'float32', *drawn}
  assert not any(a.weak_type for a in leaves)
