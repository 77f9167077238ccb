"""The ViT against NumPy, the published size, and what it refuses."""

import math

import jax
import numpy as np
import plain
import pytest

from dd_jax.networks import vit
from dd_jax.types import UserError

SHAPE = (8, 12, 3)
SIZES = {'width': 6, 'depth': 2, 'heads': 2, 'mlp_width': 5}


def gelu(x):
  return x * (1 + np.vectorize(math.erf)(x / 2**0.5)) / 2


def linear(x, p):
  return x @ np.asarray(p['kernel']) + np.asarray(p.get('bias', 0.0))


def attention(x, mix, project, heads):
  """Head by head, softmax by its definition; queries stand first."""
  query, key, value = np.split(linear(x, mix), 3, -1)
  size = x.shape[-1] // heads
  seen = []
  for i in range(heads):
    q, k, v = (a[..., i * size : (i + 1) * size] for a in (query, key, value))
    score = np.exp(q @ k.swapaxes(1, 2) / size**0.5)
    seen.append(score / score.sum(-1, keepdims=True) @ v)
  return linear(np.concatenate(seen, -1), project)


def by_hand(params, x, patch, depth, heads):
  """The logits, as vit-pytorch has them."""
  norms = plain.layers(params, 'LayerNorm')
  norm = lambda x: plain.normed(x, next(norms), (-1,))
  embed, *others = plain.layers(params, 'Dense')
  tokens = [
    linear(x[:, i : i + patch, j : j + patch].reshape(len(x), -1), embed)
    for i in range(0, x.shape[1], patch)
    for j in range(0, x.shape[2], patch)
  ]
  first = np.broadcast_to(params['class_token'][0], tokens[0].shape)
  x = np.stack([first, *tokens], 1) + np.asarray(params['position'])
  assert len(others) == 4 * depth
  for i in range(depth):
    mix, project, hidden, out = others[4 * i : 4 * i + 4]
    x = x + attention(norm(x), mix, project, heads)
    x = x + linear(gelu(linear(norm(x), hidden)), out)
  return linear(norm(x[:, 0]), params['head'])


def test_it_is_the_published_one(x64):
  network = vit(SHAPE, 3, **SIZES)
  variables, image = plain.drawn(network), plain.images(2, *SHAPE)
  got = plain.logits(network, variables, image)
  want = by_hand(variables['params'], image, 4, 2, 2)
  np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize('dropout', [0.0, 0.1])
def test_dropout_is_of_training_alone(dropout):
  sizes = {**SIZES, 'depth': 1}
  network = vit(SHAPE, 3, **sizes, dropout=dropout)
  variables = jax.jit(network.init)(jax.random.key(0))
  assert ('rng' in variables) == (dropout > 0)
  image = plain.images(2, *SHAPE).astype('float32')
  trained, evaluated = (
    plain.logits(network, variables, image, train) for train in (True, False)
  )
  assert np.any(trained != evaluated) == (dropout > 0)


def test_the_parameter_count_is_the_published_one():
  variables = jax.eval_shape(vit((32, 32, 3), 10).init, jax.random.key(0))
  found = sum(a.size for a in jax.tree.leaves(variables['params']))
  assert found == 9_523_722


@pytest.mark.parametrize(
  'shape, settings, words',
  [
    ((30, 32, 3), {}, 'network.patch=4: .* 30 x 32'),
    ((32, 32, 3), {'heads': 7}, 'network.heads=7: .* network.width=512'),
    ((32, 32, 3), {'heads': 0}, 'network.heads=0: allowed are 1'),
    ((32, 32, 3), {'dropout': 1.0}, r'network.dropout=1.0: .* below 1'),
  ],
)
def test_what_it_cannot_be_is_one_line(shape, settings, words):
  with pytest.raises(UserError, match=words) as error:
    vit(shape, 10, **settings)
  assert '\n' not in str(error.value)
