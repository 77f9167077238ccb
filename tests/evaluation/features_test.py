"""Features of a network trained on real data, paid for once."""

import jax
import numpy as np
import pytest

from dd_jax.cache import Cache
from dd_jax.data.source import HostSource, resident
from dd_jax.evaluation import real as module
from dd_jax.evaluation.features import trained_features
from dd_jax.networks import NETWORKS

SHAPE, CLASSES = (4, 4, 1), 3
NAME = {'data': 'toy'}


def arrays():
  rng = np.random.default_rng(0)
  label = np.arange(300, dtype=np.int32) % CLASSES
  image = rng.normal(size=(300, *SHAPE)) + 0.5 * label[:, None, None, None]
  return image.astype(np.float32), label


def network():
  return NETWORKS['convnet'](SHAPE, CLASSES, width=4, depth=1)


def make(cache, source=None):
  source = source or resident(*arrays(), CLASSES, None)
  return trained_features(network(), jax.random.key(0), source, cache, NAME)


@pytest.fixture
def runs(monkeypatch):
  """Counts how often a network is trained."""
  calls = []
  plain = module._trained

  def counted(*args):
    calls.append(1)
    return plain(*args)

  monkeypatch.setattr(module, '_trained', counted)
  return calls


def test_trained_once(tmp_path, runs):
  image = arrays()[0][:40]
  first = make(Cache(tmp_path))(image)
  second = make(Cache(tmp_path))(image)
  assert runs == [1]
  assert first.shape == (40, 2 * 2 * 4)
  np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize('damage', ['truncated', 'other', 'empty', 'shapes'])
def test_a_damaged_file_is_ignored(tmp_path, runs, damage):
  image = arrays()[0][:5]
  first = make(Cache(tmp_path))(image)
  [file] = tmp_path.iterdir()
  if damage == 'shapes':
    np.savez(file.with_suffix('.npz'), np.ones(3))
    file.write_bytes(file.with_suffix('.npz').read_bytes())
  else:
    whole = file.read_bytes()
    content = {'truncated': whole[:100], 'other': b'no npz', 'empty': b''}
    file.write_bytes(content[damage])
  np.testing.assert_array_equal(make(Cache(tmp_path))(image), first)
  assert runs == [1, 1]
  make(Cache(tmp_path))
  assert runs == [1, 1]  # what was damaged has been replaced


def test_training_changes_features(tmp_path):
  """They are those of a network that has learned something."""
  image = arrays()[0]
  found = np.asarray(make(Cache(tmp_path))(image))
  plain = network()
  variables = plain.init(jax.random.split(jax.random.key(0))[0])
  untrained = np.asarray(plain.apply(variables, image)[0].features)
  assert np.abs(found - untrained).max() > 1e-3


def test_host_source_equals_resident_source(tmp_path):
  image = arrays()[0][:40]
  host = HostSource(*arrays(), None, CLASSES)
  np.testing.assert_allclose(
    make(Cache(tmp_path / 'host'), host)(image),
    make(Cache(tmp_path / 'resident'))(image),
    rtol=1e-3,
    atol=1e-4,
  )
