"""Codes through a frozen decoder."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.parameterization import frozen, latent, linear
from dd_jax.types import UserError

CLASSES, SHAPE = 3, (8, 6, 2)


def matrix():
  return jnp.asarray(np.random.default_rng(0).normal(size=(5, 96)), jnp.float32)


def by_matrix(variables, code):
  return (code @ variables).reshape(-1, *SHAPE)


def test_a_frozen_linear_decoder_equals_its_matrix(started):
  made = latent(
    8, SHAPE, CLASSES, decoder=frozen(by_matrix, matrix(), (5,)), images=2
  )
  params, constants, data = started(made)
  np.testing.assert_array_equal(constants['decoder'], matrix())
  expected = np.asarray(params['code'], float) @ np.asarray(matrix(), float)
  np.testing.assert_allclose(
    np.asarray(data.image).reshape(6, -1), expected, atol=1e-5
  )
  # The gradient in the codes is the transposed matrix.
  weight = jax.random.normal(jax.random.key(1), data.image.shape)
  loss = lambda code: jnp.vdot(
    made.decode({**params, 'code': code}, constants).image, weight
  )
  np.testing.assert_allclose(
    jax.grad(loss)(params['code']),
    np.asarray(weight).reshape(6, -1) @ np.asarray(matrix()).T,
    atol=1e-4,
  )


def test_linear_is_principal_components(started, source):
  """The best of its rank, and it starts at the images' shadows."""
  _, constants, _ = started(latent(1, SHAPE, CLASSES, size=6, images=2))
  x = np.asarray(source.image, np.float64).reshape(60, -1)
  mean = x.mean(0)
  np.testing.assert_allclose(constants['decoder']['mean'], mean, atol=1e-5)
  rows = np.linalg.svd(x - mean, full_matrices=False)[2][:6]
  found = np.asarray(constants['decoder']['components'], np.float64)
  np.testing.assert_allclose(np.mean(found**2, 1), 1, rtol=1e-4)
  overlap = np.abs(found @ rows.T) / 96**0.5
  np.testing.assert_allclose(overlap, np.eye(6), atol=1e-2)


def test_all_components_give_the_start(started, source):
  _, _, data = started(latent(1, SHAPE, CLASSES, size=59, images=3))
  image = np.asarray(source.image).reshape(60, -1)
  for one in np.asarray(data.image).reshape(9, -1):
    assert np.abs(image - one).max(1).min() < 1e-3  # one of the real images


@pytest.mark.parametrize('labels, label', [('fixed', 0), ('free', CLASSES)])
def test_budget_counts_the_decoder(started, labels, label):
  made = latent(2, SHAPE, CLASSES, size=2, labels=labels)
  params, constants, data = started(made)
  room = 2 * CLASSES * (96 + label)
  images = (room - 3 * 96) // (CLASSES * (2 + label))
  assert len(data.image) == images * CLASSES
  stored = sum(x.size for x in jax.tree.leaves((params, constants)))
  assert stored == 3 * 96 + images * CLASSES * (2 + label) <= room


REFUSED = {
  'size': ({'size': 0}, 'size=0'),
  'room': ({'size': 4}, "the decoder's variables take 480 of its 297"),
  'shape': (
    {'decoder': frozen(lambda v, code: code @ v, matrix(), (5,))},
    'decoder: two codes give an array of shape (2, 96); it must be '
    '(2, 8, 6, 2)',
  ),
}


@pytest.mark.parametrize('name', REFUSED)
def test_refused(name):
  settings, words = REFUSED[name]
  with pytest.raises(UserError) as error:
    latent(1, SHAPE, CLASSES, **settings)
  assert words in str(error.value) and '\n' not in str(error.value)


def test_encoder_is_optional(started):
  own = linear(SHAPE, 2)._replace(encode=None)
  params, _, _ = started(latent(9, SHAPE, CLASSES, decoder=own, images=40))
  assert 0.7 < np.std(params['code']) < 1.3
