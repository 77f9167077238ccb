"""LeNet, its layers against lax, and the sizes that it takes."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.networks import lenet
from dd_jax.networks.layers import Conv, max_pool
from dd_jax.types import UserError


@pytest.mark.parametrize('padding', [0, 2, 'SAME', 'VALID'])
@pytest.mark.parametrize('size', [(5, 5), (3, 1)])
def test_a_convolution_by_matrix_product_equals_lax(size, padding, x64):
  x = jax.random.normal(jax.random.key(0), (2, 9, 8, 3), jnp.float64)
  made = [
    Conv(4, kernel_size=size, padding=padding, implementation=name)
    for name in ('im2col', 'lax')
  ]
  variables = made[0].init(jax.random.key(1), x)
  outputs = [m.apply(variables, x) for m in made]
  np.testing.assert_allclose(*outputs, rtol=1e-12, atol=1e-12)
  slopes = [
    jax.grad(lambda v, m=m: jnp.sum(jnp.sin(m.apply(v, x))))(variables)
    for m in made
  ]
  for a, b in zip(*map(jax.tree.leaves, slopes), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


def test_max_pool():
  x = jax.random.normal(jax.random.key(0), (2, 7, 6, 3))
  np.testing.assert_array_equal(max_pool(x), nn.max_pool(x, (2, 2), (2, 2)))


@pytest.mark.parametrize('side, flat', [(28, 400), (32, 400), (8, 64)])
def test_sizes(side, flat):
  """The published numbers of parameters at 28x28: 61,706."""
  network = lenet((side, side, 1), 10)
  variables = jax.eval_shape(network.init, jax.random.key(0))
  count = sum(a.size for a in jax.tree.leaves(variables))
  assert count == 61_706 + (flat - 400) * 120
  image = jax.ShapeDtypeStruct((3, side, side, 1), jnp.float32)
  out, _ = jax.eval_shape(network.apply, variables, image)
  assert out.logits.shape == (3, 10) and out.features.shape == (3, 84)


def test_refuses_tiny_images():
  with pytest.raises(UserError, match='7 x 8 are too small for LeNet'):
    lenet((7, 8, 1), 10)
