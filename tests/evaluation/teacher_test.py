"""Learners under a teacher: what they are shown, told, and follow."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.data.source import resident
from dd_jax.evaluation import tester
from dd_jax.evaluation.learners import Recipe, trained
from dd_jax.evaluation.protocols import Setting, protocol
from dd_jax.evaluation.protocols.base import hardened, taught
from dd_jax.evaluation.teacher import Teacher
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import NETWORKS
from dd_jax.platform import CPU
from dd_jax.types import DistilledData

SHAPE, K = (4, 4, 1), 3
KEY = jax.random.key(0)


def network(width=5):
  return NETWORKS['mlp'](SHAPE, K, width=width, depth=1)


def teacher(temperature=1.0):
  return Teacher(network(9), network(9).init(KEY), temperature)


def images(n=6):
  rng = np.random.default_rng(0)
  return jnp.asarray(rng.normal(size=(n, *SHAPE)), jnp.float32)


@pytest.mark.parametrize('temperature', [1.0, 4.0])
def test_labels_are_softened_probabilities(temperature):
  made = teacher(temperature)
  logits = np.asarray(made.network.apply(made.variables, images())[0].logits)
  p = np.exp(logits.astype(float) / temperature)
  p /= p.sum(1, keepdims=True)
  np.testing.assert_allclose(made.label(images()), p, rtol=1e-5)


@pytest.mark.parametrize('temperature', [1.0, 4.0])
def test_the_loss_has_the_gradient_of_the_divergence(temperature):
  """T^2 KL has T (softmax(s / T) - p), whatever the learner."""
  made = teacher(temperature)
  p, s = made.label(images()), jax.random.normal(KEY, (6, K))
  loss = made.softened(soft_cross_entropy)
  found = jax.grad(lambda s: loss(s, p).sum())(s)
  expected = temperature * (jax.nn.softmax(s / temperature) - p)
  np.testing.assert_allclose(found, expected, atol=1e-5)


def recipe(augment=None, mix=None):
  return Recipe(
    network(), optax.sgd(0.1), soft_cross_entropy, 3, 6, augment, mix
  )


@pytest.mark.parametrize('label', [np.eye(K)[[0] * 6], np.eye(K)[[1, 2] * 3]])
def test_a_learner_is_never_told_the_labels_of_its_set(label):
  """It ends where one ends that was given the teacher's from the start."""
  setting = Setting(SHAPE, K, teacher=teacher())
  under = taught(recipe(), setting)
  found = trained(under, KEY, DistilledData(images(), jnp.asarray(label)))
  given = DistilledData(images(), teacher().label(images()))
  expected = trained(recipe(), KEY, given)
  for a, b in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_it_labels_what_the_learner_is_shown():
  """After augmentation and mixing, and not the images of the set."""
  seen = []
  shift = lambda key, image: image + 1
  double = lambda key, data: data._replace(image=2 * data.image)
  setting = Setting(SHAPE, K, teacher=teacher())
  own = teacher().label

  def spy(image):
    jax.debug.callback(lambda x: seen.append(np.asarray(x)), image)
    return own(image)

  under = taught(recipe(shift, double), setting)._replace(relabel=spy)
  data = DistilledData(images(), jnp.eye(K)[jnp.arange(6) % K])
  jax.block_until_ready(trained(under, KEY, data))
  jax.effects_barrier()
  assert len(seen) == 3
  np.testing.assert_allclose(seen[0], 2 * (images() + 1), rtol=1e-6)


def test_without_a_teacher_nothing_changes():
  plain = recipe()
  assert taught(plain, Setting(SHAPE, K)) is plain


@pytest.mark.parametrize(
  'name, follows',
  [('dc', True), ('idc', True), ('ld', True), ('datm', True), ('rat', True)]
  + [('dd', False), ('frepo', False), ('krr-ntk', False), ('kip-nn', False)],
)
def test_protocols_say_whether_their_learners_follow(name, follows):
  """And those that do are trained on what it says, not on their labels."""
  setting = Setting(SHAPE, K, network=network(), steps=2)
  made = protocol(name, setting._replace(teacher=teacher()))
  assert made.taught == follows
  if name not in ('dc', 'ld'):
    return
  data = [DistilledData(images(), jnp.eye(K)[jnp.full(6, c)]) for c in (0, 1)]
  fits = [made.score.fit(KEY[None], one) for one in data]
  for a, b in zip(*map(jax.tree.leaves, fits), strict=True):
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
  'encoding, shift', [('one-hot', 0), ('centred', 1 / K)]
)
def test_hard_labels_are_the_largest_entries(encoding, shift):
  soft = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], np.float32) - shift
  keep = tester.Tester(lambda keys, data: data.label[None], lambda a, b: b, CPU)
  found = hardened(encoding, keep).fit(KEY[None], DistilledData(None, soft))
  np.testing.assert_allclose(found[0], np.eye(K)[[0, 2]] - shift, atol=1e-7)


def test_hard_labels_of_any_score_function():
  real = resident(np.zeros((2, *SHAPE), np.float32), np.arange(2), K, None)
  told = lambda keys, data, test: data.label.max(-1)
  soft = jnp.array([[0.6, 0.4, 0.0]])
  assert hardened('one-hot', told)(KEY[None], DistilledData(None, soft), real)
