"""Classifiers that others wrote: what becomes of them, and what is refused."""

import operator

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from dd_jax.evaluation.learners import Recipe, trained
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import Network, learner, mlp
from dd_jax.types import LabeledData, UserError

SHAPE, CLASSES = (4, 4, 1), 3


class Linen(nn.Module):
  """Batch norm and dropout, and logits alone."""

  @nn.compact
  def __call__(self, x, training=False):
    x = nn.BatchNorm(not training, momentum=0.9)(x.reshape(len(x), -1))
    x = nn.relu(nn.Dense(32)(x))
    x = nn.Dropout(0.5, deterministic=not training)(x)
    return nn.Dense(CLASSES)(x)


class Nnx(nnx.Module):
  """The same in `nnx`."""

  def __init__(self, rngs):
    self.norm = nnx.BatchNorm(16, momentum=0.9, rngs=rngs)
    self.hidden = nnx.Linear(16, 32, rngs=rngs)
    self.dropout = nnx.Dropout(0.5, rngs=rngs)
    self.head = nnx.Linear(32, CLASSES, rngs=rngs)

  def __call__(self, x):
    x = nnx.relu(self.hidden(self.norm(x.reshape(len(x), -1))))
    return self.head(self.dropout(x))


def linen(image_shape, num_classes):
  del image_shape, num_classes
  return Linen()


def of_nnx(image_shape, num_classes, rngs):
  del image_shape, num_classes
  return Nnx(rngs)


def made(factory) -> Network:
  return learner(factory, SHAPE, CLASSES, {})


def images(count=8):
  return jnp.asarray(np.random.default_rng(0).normal(size=(count, *SHAPE)))


BOTH = pytest.mark.parametrize('factory', [linen, of_nnx])


@BOTH
def test_masks_are_drawn_anew_and_by_each_learner(factory):
  network, x = made(factory), images()
  apply = jax.jit(network.apply, static_argnames='train')
  one, other = (network.init(jax.random.key(i)) for i in range(2))
  same = {**other, **{k: one[k] for k in ('params',)}}
  first, after = apply(one, x, train=True)
  again, _ = apply(one, x, train=True)
  second, _ = apply(after, x, train=True)
  third, _ = apply(same, x, train=True)
  np.testing.assert_array_equal(first.logits, again.logits)
  assert np.any(first.logits != second.logits)
  assert np.any(first.logits != third.logits)
  evaluated, still = apply(one, x)
  assert jax.tree.structure(still) == jax.tree.structure(one)
  plain, _ = apply(after, x[:1])
  want = apply(after, x)[0].logits[:1]
  np.testing.assert_allclose(plain.logits, want, rtol=1e-5, atol=1e-6)
  assert evaluated.logits.shape == (8, CLASSES)


@BOTH
def test_they_are_trained_as_others_are(factory):
  """On a set that they can learn, several of them under vmap."""
  label = jnp.eye(CLASSES)[jnp.arange(12) % CLASSES]
  image = images(12) + 4 * label.argmax(-1)[:, None, None, None]
  data = LabeledData(image.astype('float32'), label)
  recipe = Recipe(made(factory), optax.adam(0.03), soft_cross_entropy, 60, 12)
  run = jax.jit(jax.vmap(lambda key: trained(recipe, key, data)))
  variables = run(jax.random.split(jax.random.key(0), 2))
  for i in range(2):
    one = jax.tree.map(operator.itemgetter(i), variables)
    out, _ = recipe.network.apply(one, data.image)
    correct = out.logits.argmax(-1) == label.argmax(-1)
    assert correct.mean() > 0.8


@BOTH
def test_what_they_lack_is_said_in_one_line(factory):
  network = made(factory)
  out, _ = network.apply(network.init(jax.random.key(0)), images())
  for name in ('features', 'taps'):
    with pytest.raises(UserError, match=f'logits alone, and {name} are') as e:
      getattr(out, name)
    assert '\n' not in str(e.value)


def test_a_network_stays_what_it_is():
  network = mlp(SHAPE, CLASSES)
  assert made(lambda image_shape, num_classes: network) is network


@pytest.mark.parametrize(
  'factory, words',
  [
    (lambda image_shape, num_classes: 7, 'returned int'),
    (lambda image_shape, num_classes: Nnx(nnx.Rngs(0)), 'a parameter rngs'),
    (lambda image_shape, num_classes: nn.Dense(2), r'gives \(2, 4, 4, 2\)'),
  ],
)
def test_what_is_no_classifier_is_refused_in_one_line(factory, words):
  with pytest.raises(UserError, match=words) as error:
    made(factory)
  assert '\n' not in str(error.value)
