"""Selections of real images against brute force."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.cluster import KMeans

from dd_jax.data.by_class import numpy_generator
from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import HostSource, resident
from dd_jax.methods.selection import SELECTIONS, herding, selection
from dd_jax.types import UserError

KEY = jax.random.key(0)
COUNTS = (9, 4, 13)


def arrays():
  """Unequal classes, out of order."""
  rng = np.random.default_rng(0)
  label = rng.permutation(np.repeat(np.arange(3), COUNTS)).astype(np.int32)
  image = (
    rng.normal(size=(len(label), 2, 3, 1)) + 3 * label[:, None, None, None]
  )
  return image.astype(np.float32), label


def source():
  return resident(*arrays(), 3, None)


def flat(image):
  return image.reshape(len(image), -1)


@pytest.mark.parametrize('name', SELECTIONS)
@pytest.mark.parametrize('ipc', [1, 4])
def test_distinct_images_of_each_class(name, ipc):
  index = SELECTIONS[name](KEY, source(), ipc, flat)
  assert index.shape == (3, ipc) and index.dtype == np.int32
  label = arrays()[1]
  for c, row in enumerate(index):
    assert set(label[row]) == {c}
    assert len(set(row)) == ipc


@pytest.mark.parametrize('name', SELECTIONS)
def test_everything_may_be_chosen(name):
  """As many as the smallest class has: all of it."""
  index = SELECTIONS[name](KEY, source(), 4, flat)
  expected = np.flatnonzero(arrays()[1] == 1)
  np.testing.assert_array_equal(np.sort(index[1]), expected)


@pytest.mark.parametrize('name', SELECTIONS)
def test_a_class_with_too_few_gives_all_it_has_again(name):
  made = selection(SELECTIONS[name], 6).init(KEY, source())
  found = np.asarray(made.constants['image']).reshape(3, 6, -1)
  image, label = arrays()
  rows = [x.tobytes() for x in found[1]]
  assert set(rows) == {x.tobytes() for x in image[label == 1]}
  assert rows[4:] == rows[:2] and len(set(rows)) == 4


@pytest.mark.parametrize('name', SELECTIONS)
def test_none_are_refused(name):
  with pytest.raises(UserError, match='ipc=0'):
    SELECTIONS[name](KEY, source(), 0, flat)


def brute_herding(x, count):
  """Tries every image that is still free, summing afresh each time."""
  chosen = []
  for _ in range(count):
    gaps = {
      i: np.linalg.norm(x.mean(0) - x[[*chosen, i]].mean(0))
      for i in range(len(x))
      if i not in chosen
    }
    chosen.append(min(gaps, key=gaps.get))
  return chosen


@pytest.mark.parametrize('features', [flat, lambda x: flat(x)[:, :2] ** 2])
def test_herding_is_greedy(features):
  image, label = arrays()
  index = herding(KEY, source(), 4, features)
  for c in range(3):
    members = np.flatnonzero(label == c)
    x = np.asarray(features(image[members]), np.float64)
    np.testing.assert_array_equal(index[c], members[brute_herding(x, 4)])


def brute_kcentre(x, count):
  """Every pair's distance; the next is whom the chosen cover worst."""
  gaps = np.linalg.norm(x[:, None] - x[None], axis=-1)
  chosen = [int(np.argmin(np.linalg.norm(x - x.mean(0), axis=1)))]
  while len(chosen) < count:
    free = [i for i in range(len(x)) if i not in chosen]
    chosen.append(max(free, key=lambda i: gaps[i, chosen].min()))
  return chosen


@pytest.mark.parametrize('features', [flat, lambda x: flat(x)[:, :2] ** 2])
def test_kcentre_is_greedy_and_covers(features):
  """No worse than twice the best cover, as every greedy one."""
  image, label = arrays()
  index = SELECTIONS['kcentre'](KEY, source(), 4, features)
  for c in range(3):
    members = np.flatnonzero(label == c)
    x = np.asarray(features(image[members]), np.float64)
    np.testing.assert_array_equal(index[c], members[brute_kcentre(x, 4)])
    gaps = np.linalg.norm(x[:, None] - x[None], axis=-1)
    radius = lambda rows, gaps=gaps: gaps[:, list(rows)].min(1).max()
    best = min(map(radius, itertools.combinations(range(len(x)), 4)))
    assert radius(np.searchsorted(members, index[c])) <= 2 * best + 1e-6


@pytest.mark.parametrize('features', [flat, lambda x: flat(x)[:, :2] ** 2])
def test_kmeans_takes_the_nearest_to_each_centre(features):
  image, label = arrays()
  index = SELECTIONS['kmeans'](KEY, source(), 3, features)
  rng = numpy_generator(KEY)
  for c in range(3):
    members = np.flatnonzero(label == c)
    x = np.asarray(features(image[members]))
    seed = int(rng.integers(2**31))
    centres = KMeans(3, n_init=1, random_state=seed).fit(x).cluster_centers_
    free = list(range(len(x)))
    for centre, found in zip(centres, index[c], strict=True):
      nearest = min(free, key=lambda i: np.sum((x[i] - centre) ** 2))
      free.remove(nearest)
      assert found == members[nearest]


def test_kmeans_of_repeated_images_takes_nothing_twice():
  image = np.ones((6, 2, 2, 1), np.float32)
  same = resident(image, np.array([0, 1] * 3, np.int32), 2, None)
  index = SELECTIONS['kmeans'](KEY, same, 3, flat)
  np.testing.assert_array_equal(np.sort(index), [[0, 2, 4], [1, 3, 5]])


def test_random_depends_on_the_key():
  draw = lambda seed: SELECTIONS['random'](
    jax.random.key(seed), source(), 4, flat
  )
  np.testing.assert_array_equal(draw(0), draw(0))
  assert np.any(draw(0) != draw(1))


def test_random_is_uniform():
  """Over many draws, every example of a class comes equally often."""
  real = source()
  draws = [
    SELECTIONS['random'](jax.random.key(i), real, 2, flat)[0]
    for i in range(180)
  ]
  members = np.flatnonzero(arrays()[1] == 0)
  count = np.array([np.sum(np.stack(draws) == m) for m in members])
  assert count.sum() == 360
  # 40 expected each, deviation about 6.
  assert count.min() > 18 and count.max() < 65


@pytest.mark.parametrize('encoding', ['one-hot', 'centred'])
@pytest.mark.parametrize('name', SELECTIONS)
def test_distilled_holds_the_images_themselves(name, encoding):
  method = selection(SELECTIONS[name], 2, encoding=LabelEncoding(encoding))
  state = method.init(KEY, source())
  data = method.distilled(state)
  index = SELECTIONS[name](KEY, source(), 2, flat).reshape(-1)
  np.testing.assert_array_equal(data.image, arrays()[0][index])
  shift = 1 / 3 if encoding == 'centred' else 0
  expected = np.repeat(np.eye(3), 2, 0) - shift
  np.testing.assert_allclose(data.label, expected, rtol=1e-6)
  after, metrics = method.update(KEY, jnp.int32(0), state, None)
  np.testing.assert_array_equal(method.distilled(after).image, data.image)
  assert metrics['loss'] == 0


@pytest.mark.parametrize('name', SELECTIONS)
def test_host_source(name):
  """What lies on the host is chosen from alike."""
  choose = SELECTIONS[name]
  host = HostSource(*arrays(), None, 3)
  np.testing.assert_array_equal(
    choose(KEY, host, 3, flat), choose(KEY, source(), 3, flat)
  )
