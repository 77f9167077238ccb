"""The hardest real images: scores against brute force, and who is kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.data.source import HostSource, resident
from dd_jax.losses import soft_cross_entropy
from dd_jax.methods import hard_examples as hard
from dd_jax.networks import mlp
from dd_jax.types import UserError

SHAPE, CLASSES, SIZE = (2, 2, 1), 3, 45
NETWORK = mlp(SHAPE, CLASSES, width=5, depth=1)
KEY = jax.random.key(0)


@pytest.fixture(scope='module')
def arrays():
  rng = np.random.default_rng(0)
  image = rng.normal(size=(SIZE, *SHAPE)).astype(np.float32)
  return image, (np.arange(SIZE) % CLASSES).astype(np.int32)


@pytest.fixture(scope='module')
def source(arrays):
  return resident(*arrays, CLASSES, None)


def test_forgetting_counts_a_history():
  """By hand: an event is right and then, the next time it came up, wrong."""
  history = {
    0: [1, 1, 1],  # learned, and kept
    1: [0, 1, 0, 1, 0],  # forgotten twice
    2: [0, 0, 0],  # never learned
    3: [1, 0, 0, 1],  # forgotten once
    4: [],
  }
  seen = hard.unseen(5)
  for t in range(5):
    index = [i for i, events in history.items() if t < len(events)]
    right = jnp.array([bool(history[i][t]) for i in index])
    seen = hard.noted(seen, jnp.array(index), right)
  np.testing.assert_array_equal(seen.lost, [0, 2, 0, 1, 0])
  np.testing.assert_array_equal(seen.ever, [True, True, False, True, False])
  np.testing.assert_array_equal(seen.right[:4], [True, False, False, True])


def test_forgetting_watches_a_training(source, monkeypatch):
  """Batches cover every example once an epoch, and each is asked first."""
  monkeypatch.setattr(hard, '_BATCH', 15)
  came = []
  noted = hard.noted

  def watched(seen, index, right):
    jax.debug.callback(lambda i, r: came.append((i, r)), index, right)
    return noted(seen, index, right)

  monkeypatch.setattr(hard, 'noted', watched)
  found = np.asarray(hard.forgetting(NETWORK, KEY, source, 6))
  jax.effects_barrier()
  assert len(came) == 18
  events = {i: [] for i in range(SIZE)}
  for epoch in range(6):
    index = np.concatenate([i for i, _ in came[3 * epoch : 3 * epoch + 3]])
    np.testing.assert_array_equal(np.sort(index), np.arange(SIZE))
  for index, right in came:
    for i, r in zip(index.tolist(), right.tolist(), strict=True):
      events[i].append(r)
  lost = [np.sum(np.diff(np.array(e, int)) < 0) for e in events.values()]
  never = [not any(e) for e in events.values()]
  np.testing.assert_array_equal(found, np.where(never, np.inf, lost))
  assert 0 < np.sum(lost) and 0 < np.sum(never) < SIZE


def initial(key):
  k_init, _ = jax.random.split(key)
  return NETWORK.init(k_init)


def test_scores_at_the_start_are_those_of_each_example(arrays, source):
  image, label = arrays
  variables, one_hot = initial(KEY), np.eye(CLASSES)[label]

  @jax.jit
  @jax.grad
  def gradient(params, x, y):
    known = {**variables, 'params': params}
    logits = NETWORK.apply(known, x[None])[0].logits
    return soft_cross_entropy(logits, y[None])[0]

  logits = np.asarray(NETWORK.apply(variables, image)[0].logits, np.float64)
  share = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
  off = np.sqrt(((share - one_hot) ** 2).sum(-1))
  np.testing.assert_allclose(hard.el2n(NETWORK, KEY, source, 0), off, rtol=1e-4)
  sizes = []
  for x, y in zip(image, one_hot, strict=True):
    leaves = jax.tree.leaves(gradient(variables['params'], x, y))
    flat = np.concatenate([np.ravel(a) for a in leaves])
    sizes.append(np.linalg.norm(flat.astype(np.float64)))
  found = hard.grand(NETWORK, KEY, source, 0)
  np.testing.assert_allclose(found, sizes, rtol=1e-4)


@pytest.mark.parametrize('name', ['forgetting', 'el2n', 'grand'])
def test_what_lies_on_the_host_is_scored_alike(name, arrays, source):
  score = getattr(hard, name)
  host = HostSource(*arrays, None, CLASSES)
  np.testing.assert_allclose(
    score(NETWORK, KEY, host, 2), score(NETWORK, KEY, source, 2), rtol=1e-5
  )


def test_the_hardest_of_each_class_are_kept(arrays, source):
  """A mean over networks; equal scores come in an order of the key's."""
  image, label = arrays
  table = np.random.default_rng(1).normal(size=(2, SIZE))
  left = list(table)
  score = lambda network, key, source, epochs: jnp.asarray(left.pop())
  method = hard.hard_examples(score, NETWORK, (2, 1, 3), networks=2)
  found = method.distilled(method.init(KEY, source))
  assert not left
  wanted = []
  for c, count in enumerate((2, 1, 3)):
    members = np.flatnonzero(label == c)
    wanted += members[np.argsort(-table.sum(0)[members])[:count]].tolist()
  np.testing.assert_array_equal(found.image, image[wanted])
  np.testing.assert_array_equal(found.label.argmax(-1), label[wanted])
  same = np.zeros(SIZE)
  orders = [hard.hardest(jax.random.key(i), source, same)[0] for i in (0, 0, 1)]
  np.testing.assert_array_equal(orders[0], orders[1])
  assert np.any(orders[0] != orders[2])


def test_refused():
  with pytest.raises(UserError, match='networks=0'):
    hard.hard_examples(hard.el2n, NETWORK, 1, networks=0)
