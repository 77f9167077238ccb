"""ConvNeXt against NumPy, the published size, and what it refuses."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import plain
import pytest

from dd_jax.networks import ConvNeXt, convnext_tiny, from_flax
from dd_jax.networks.convnext import Branch
from dd_jax.types import UserError


def gelu(x):
  return x * (1 + np.vectorize(math.erf)(x / 2**0.5)) / 2


def norm(x, p):
  mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
  return (x - mean) / np.sqrt(var + 1e-6) * p['scale'] + p['bias']


def linear(x, p):
  return x @ np.asarray(p['kernel']) + np.asarray(p['bias'])


def depthwise(x, p):
  channels = [
    plain.conv(x[..., i : i + 1], {'kernel': p['kernel'][..., i : i + 1]}, 1, 3)
    for i in range(x.shape[-1])
  ]
  return np.concatenate(channels, -1) + np.asarray(p['bias'])


def branch(x, p):
  y = norm(depthwise(x, p['Conv_0']), p['LayerNorm_0'])
  y = linear(gelu(linear(y, p['Dense_0'])), p['Dense_1'])
  return x + np.asarray(p['scale']) * y


def patches(x, p, side):
  """Patches that do not overlap, each as one vector."""
  n, h, w, c = x.shape
  x = x[:, : h // side * side, : w // side * side]
  x = x.reshape(n, h // side, side, w // side, side, c).swapaxes(2, 3)
  flat = np.asarray(p['kernel']).reshape(side * side * c, -1)
  return x.reshape(n, h // side, w // side, -1) @ flat + np.asarray(p['bias'])


def test_it_is_the_published_one(x64):
  shape = (16, 18, 3)
  network = from_flax(ConvNeXt((1, 2), 3, width=2), shape)
  variables, image = plain.drawn(network), plain.images(2, *shape)
  p = variables['params']
  x = norm(patches(image, p['Conv_0'], 4), p['LayerNorm_0'])
  x = branch(x, p['Branch_0'])
  x = patches(norm(x, p['LayerNorm_1']), p['Conv_1'], 2)
  x = branch(branch(x, p['Branch_1']), p['Branch_2'])
  want = linear(norm(x.mean((1, 2)), p['LayerNorm_2']), p['head'])
  got = plain.logits(network, variables, image)
  np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7)


def test_a_branch_is_left_out_of_whole_images():
  """And counts for more in the others, so that the mean stays."""
  x = jnp.asarray(plain.images(40, 2, 2, 3))
  module = Branch(0.5)
  params = module.init(jax.random.key(0), x, train=False)
  params['params']['scale'] = jnp.ones(3)
  added = module.apply(params, x, train=False) - x
  rngs = {'dropout': jax.random.key(1)}
  drawn = module.apply(params, x, train=True, rngs=rngs) - x
  out = np.all(np.isclose(drawn, 0, atol=1e-6), (1, 2, 3))
  assert 8 < out.sum() < 32
  np.testing.assert_allclose(drawn[~out], 2 * added[~out], atol=1e-5)


def test_the_parameter_count_is_the_published_one():
  network = convnext_tiny((32, 32, 3), 10)
  variables = jax.eval_shape(network.init, jax.random.key(0))
  found = sum(a.size for a in jax.tree.leaves(variables['params']))
  assert found == 27_827_818


def test_what_it_cannot_be_is_one_line():
  with pytest.raises(UserError, match='28 x 28 are too small for ConvNeXt'):
    convnext_tiny((28, 28, 1), 10)
  with pytest.raises(UserError, match=r'network.left_out=1.0: .* below 1'):
    convnext_tiny((32, 32, 3), 10, left_out=1.0)
