"""Named protocols: their numbers, and what a score is."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.data.source import resident
from dd_jax.evaluation import protocols
from dd_jax.evaluation.protocols import (
  PROTOCOLS,
  Protocol,
  Setting,
  evaluate,
  protocol,
  restarted_sgd,
  summary,
)
from dd_jax.networks import NETWORKS
from dd_jax.types import DistilledData, UserError

SHAPE, CLASSES = (8, 8, 1), 3
NETWORK = NETWORKS['mlp'](SHAPE, CLASSES, width=16, depth=1)
KEY = jax.random.key(0)


def setting(**changes):
  return Setting('toy', SHAPE, CLASSES, network=NETWORK)._replace(**changes)


def arrays(size=45):
  rng = np.random.default_rng(0)
  label = np.arange(size, dtype=np.int32) % CLASSES
  image = 0.5 * rng.normal(size=(size, *SHAPE))
  image[np.arange(size), label] += 2
  return image.astype(np.float32), label


def real(size=45):
  return resident(*arrays(size), CLASSES, None)


def distilled(encoding='one-hot'):
  image, _ = arrays(6)
  order = np.argsort(np.arange(6) % CLASSES, kind='stable')
  label = np.eye(CLASSES, dtype=np.float32)[np.arange(6) % CLASSES]
  shift = 1 / CLASSES if encoding == 'centred' else 0
  return DistilledData(image[order], label[order] - shift)


# `dc`.


def torch_sgd(gradients, params, restart, rate=0.01, momentum=0.9, decay=5e-4):
  """torch.optim.SGD, made anew at a tenth of the rate after `restart` steps."""
  buffer, path = None, []
  for i, gradient in enumerate(gradients):
    if i == restart:
      buffer, rate = None, rate / 10
    g = gradient + decay * params
    buffer = g if buffer is None else momentum * buffer + g
    params = params - rate * buffer
    path.append(params)
  return np.array(path)


@pytest.mark.parametrize('restart', [0, 1, 4, 99])
def test_restarted_sgd_is_torchs(restart):
  rng = np.random.default_rng(0)
  gradients, start = rng.normal(size=(10, 5)), rng.normal(size=5)
  with jax.enable_x64(True):
    optimizer = restarted_sgd(0.01, restart, momentum=0.9, weight_decay=5e-4)
    params = jnp.asarray(start)
    state, path = optimizer.init(params), []
    for gradient in gradients:
      updates, state = optimizer.update(jnp.asarray(gradient), state, params)
      params = optax.apply_updates(params, updates)
      path.append(np.asarray(params))
  expected = torch_sgd(gradients, start, restart)
  np.testing.assert_allclose(path, expected, rtol=1e-12)


@pytest.mark.parametrize(
  'size, epochs, steps, restart',
  [
    # DC trains epochs 0 to E; the rate falls after epoch E // 2 + 1.
    (100, 300, 301, 152),
    (256, 300, 301, 152),
    (257, 300, 602, 304),
    (500, 1000, 2002, 1004),
  ],
)
def test_dc_recipe(monkeypatch, size, epochs, steps, restart):
  asked = {}

  def spy(rate, at, **rest):
    asked.update(rate=rate, at=at, **rest)
    return optax.sgd(rate)

  monkeypatch.setattr(protocols, 'restarted_sgd', spy)
  found = protocols._dc_recipe(NETWORK, size, epochs, None, None)
  assert found.num_steps == steps
  assert found.batch_size == min(256, size)
  assert asked == {
    'rate': 0.01,
    'at': restart,
    'momentum': 0.9,
    'weight_decay': 5e-4,
  }


def test_dc_augments_mnist_and_nothing_else(monkeypatch):
  """With augmentation there are 1,001 epochs."""
  found = []

  def spy(recipe):
    found.append(recipe)
    return lambda keys, data, test: jnp.zeros(len(keys))

  monkeypatch.setattr(protocols, 'learner_test', spy)
  for name in ('mnist', 'fashion_mnist'):
    chosen = protocol('dc', setting(dataset=name))
    evaluate(chosen, KEY, distilled(), real(), num_learners=1)
  assert [r.num_steps for r in found] == [1001, 301]
  assert [r.augment is not None for r in found] == [True, False]


@pytest.mark.parametrize('encoding', ['one-hot', 'centred'])
def test_dc_labels(monkeypatch, encoding):
  """Soft labels on the simplex stay; others count by their largest entry."""
  seen = []

  def spy(recipe):
    del recipe
    return lambda keys, data, test: seen.append(data) or jnp.zeros(len(keys))

  monkeypatch.setattr(protocols, 'learner_test', spy)
  label = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3]], np.float32)
  data = DistilledData(arrays(2)[0], label)
  chosen = protocol('dc', setting(label_encoding=encoding))
  evaluate(chosen, KEY, data, real(), num_learners=1)
  expected = label if encoding == 'one-hot' else np.eye(3)[[0, 1]]
  np.testing.assert_allclose(seen[0].label, expected)


# `frepo`.


@pytest.mark.parametrize(
  'size, steps',
  [
    (1, 1000),
    (10, 1000),
    (11, 2000),
    (100, 2000),
    (200, 20000),
    (400, 5000),
    (500, 5000),
    (1000, 10000),
    (2000, 40000),
    (5000, 40000),
    (9000, 40000),
  ],
)
def test_frepo_steps(size, steps):
  assert protocols._frepo_recipe(setting(), size).num_steps == steps


def test_frepo_schedule(monkeypatch):
  """Up to 3e-4 in 500 steps, then down to a hundredth of it by a cosine."""
  rates = []
  adam = optax.adam
  monkeypatch.setattr(
    optax, 'adam', lambda rate: rates.append(rate) or adam(rate)
  )
  recipe = protocols._frepo_recipe(setting(), 100)
  [rate] = rates
  assert rate(0) == 0
  np.testing.assert_allclose(rate(250), 1.5e-4, rtol=1e-5)
  np.testing.assert_allclose(rate(500), 3e-4, rtol=1e-5)
  np.testing.assert_allclose(rate(1250), (3e-4 + 3e-6) / 2, rtol=1e-4)
  np.testing.assert_allclose(rate(2000), 3e-6, rtol=1e-3)
  assert recipe.batch_size == 500 and recipe.augment is not None


def test_frepo_learner_has_no_norm():
  recipe = protocols._frepo_recipe(setting(network=None), 10)
  variables = jax.eval_shape(recipe.network.init, KEY)
  assert set(variables) == {'params'}
  shapes = [a.shape for a in jax.tree.leaves(variables)]
  assert (3, 3, 1, 128) in shapes


# All of them.


@pytest.fixture
def quick():
  return {
    name: protocol(name, setting(steps=20, label_encoding='centred'))
    for name in PROTOCOLS
  }


@pytest.mark.parametrize('name', PROTOCOLS)
def test_a_score(name, quick):
  score = evaluate(
    quick[name], KEY, distilled('centred'), real(), num_learners=3
  )
  assert score.protocol == name
  exact = name in ('krr-ntk', 'krr-nngp')
  assert len(score.values) == (1 if exact else 3)
  assert (score.std is None) == exact
  assert all(0 <= v <= 100 for v in score.values)
  # Percent of 45 examples.
  hits = np.array(score.values) * 45 / 100
  np.testing.assert_allclose(hits, np.round(hits), atol=1e-2)


@pytest.mark.parametrize('name', ['krr-ntk', 'krr-nngp'])
def test_kernels_separate_these_classes(name, quick):
  score = evaluate(quick[name], KEY, distilled('centred'), real())
  assert score.mean > 90


@pytest.mark.parametrize('name', ['krr-ntk', 'krr-feature', 'frepo'])
def test_one_hot_labels_are_centred(name):
  """A one-hot set scores as the same set with centred labels."""
  scores = [
    evaluate(
      protocol(name, setting(steps=5, label_encoding=encoding)),
      KEY,
      distilled(encoding),
      real(),
      num_learners=2,
    )
    for encoding in ('one-hot', 'centred')
  ]
  assert scores[0] == scores[1]


def test_the_same_key_gives_the_same_score(quick):
  score = lambda seed: evaluate(
    quick['dc'], jax.random.key(seed), distilled('centred'), real(500)
  )
  assert score(0) == score(0)
  assert score(0).values != score(1).values


def test_deviation_is_of_the_sample():
  score = summary('dc', (90.0, 92.0, 97.0))
  assert score.mean == 93.0
  assert score.std == pytest.approx(np.std([90, 92, 97], ddof=1), abs=1e-4)
  assert summary('dc', (90.0,)).std is None
  assert summary('dc', (90.0, 90.0)).std == 0


def test_exact_protocols_are_asked_once():
  asked = []

  def score(keys, data, test):
    asked.append(len(keys))
    return jnp.full(len(keys), 0.5)

  evaluate(Protocol('a', score, exact=True), KEY, None, None, num_learners=5)
  evaluate(Protocol('b', score), KEY, None, None, num_learners=5)
  assert asked == [1, 5]


def test_an_unknown_protocol():
  with pytest.raises(UserError, match=r"'krr-nkt'.*did you mean krr-n"):
    protocol('krr-nkt', setting())
