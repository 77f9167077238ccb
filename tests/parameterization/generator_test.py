"""The generator: its gradient by finite differences, its size by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from dd_jax.parameterization import generator
from dd_jax.types import UserError

CLASSES, SHAPE = 3, (8, 6, 2)


def test_gradient_by_finite_differences(started):
  """In the weights and in the codes, in float64."""
  made = generator(4, SHAPE, CLASSES, width=3, images=2)
  params, _, _ = started(made)
  with jax.enable_x64(True):
    params = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), params)
    weight = jax.random.normal(jax.random.key(1), (6, *SHAPE), jnp.float64)
    flat, back = ravel_pytree(params)
    image = lambda p: jnp.sin(made.decode(back(p), {}).image)
    loss = jax.jit(lambda p: jnp.vdot(image(p), weight))
    gradient = jax.jit(jax.grad(loss))(flat)
    for seed in range(3):
      way = jax.random.normal(jax.random.key(seed), flat.shape, jnp.float64)
      ahead, behind = (loss(flat + s * 1e-6 * way) for s in (1, -1))
      slope = (ahead - behind) / 2e-6
      np.testing.assert_allclose(jnp.vdot(gradient, way), slope, rtol=1e-6)


@pytest.mark.parametrize('labels, label', [('fixed', 0), ('free', CLASSES)])
def test_budget_by_hand(started, numbers, labels, label):
  made = generator(4, SHAPE, CLASSES, width=3, size=5, labels=labels)
  params, constants, data = started(made)
  # A dense layer to 2x2x3, a convolution of 3 channels, one to the image.
  weights = (5 + CLASSES + 1) * 2 * 2 * 3 + (9 * 3 + 1) * 3 + (9 * 3 + 1) * 2
  room = 4 * CLASSES * (96 + label)
  images = (room - weights) // (CLASSES * (5 + label))
  assert len(data.image) == images * CLASSES
  assert numbers((params, constants)) == (
    weights + images * CLASSES * (5 + label)
  )


def test_draws_the_class(started):
  """The same code gives another image for another class."""
  made = generator(4, SHAPE, CLASSES, images=1)
  params, constants, _ = started(made)
  same = {**params, 'code': jnp.ones_like(params['code'])}
  image = jax.jit(made.decode)(same, constants).image
  assert np.abs(image[0] - image[1]).max() > 1e-3


def test_refused():
  with pytest.raises(UserError, match="the generator's weights take"):
    generator(1, SHAPE, CLASSES, width=16)
  with pytest.raises(UserError, match='width=0'):
    generator(1, SHAPE, CLASSES, width=0)
