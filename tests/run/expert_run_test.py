"""Experts of a run: trained first, found again, or of a named store."""

import json

import pytest
from sklearn.datasets import load_digits

from dd_jax import artifact
from dd_jax.cache import Cache
from dd_jax.data.dataset import from_arrays
from dd_jax.data.prepare import prepare
from dd_jax.experts import ExpertStore
from dd_jax.run import experts, pipeline, recipe
from dd_jax.run.workdir import Workdir
from dd_jax.types import UserError


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
  folder = tmp_path_factory.mktemp('cache')
  monkeypatch.setenv('DD_JAX_CACHE', str(folder))
  return folder


def digits(count=150, seed=0):
  bunch = load_digits(n_class=3)
  images, labels = bunch.images[:count] / 16, bunch.target[:count]
  return from_arrays(images, labels, name='three', seed=seed)


def config(name='mtt', **changes):
  small = {
    'ipc': 1,
    'num_steps': 2,
    'validate_every': 2,
    'preprocessing': 'standardise',
    'augment': 'none',
    'network': {'name': 'mlp', 'width': 8, 'depth': 1},
    'optimizer': {'learning_rate': 0.1},
    'method': {'inner_steps': 2, 'expert_epochs': 1, 'step_size': 0.1},
    'experts': {
      'count': 2, 'epochs': 4, 'batch_size': 30, 'step_size': 0.1,
      'augment': 'none',
    },
    'evaluation': {
      'protocol': 'mtt', 'others': (), 'learners': 1, 'steps': 2,
      'baselines': (), 'network': {'name': 'mlp', 'width': 4, 'depth': 1},
    },
  }  # fmt: skip
  found = recipe.update(recipe.default(name), small)
  return recipe.update(found, changes)


class Told:
  """A writer that remembers."""

  def __init__(self):
    self.messages, self.places = [], []

  def progress(self, what, done, total):
    if what == 'experts':
      self.places.append((what, done, total))

  def message(self, text):
    self.messages.append(text)

  def begin(self, step):
    pass

  def scalars(self, steps, metrics):
    pass

  def validation(self, step, score):
    pass

  def close(self):
    pass


def made_store(path, settings=None, dataset=None):
  settings = settings or config()
  prepared = prepare(dataset or digits(), settings['preprocessing'])
  store = ExpertStore.start(path, experts.wanted(settings, prepared))
  experts.train(store, settings, prepared)
  return store


def test_trains_first_and_finds_them_the_next_time(cache, tmp_path):
  first, second = Told(), Told()
  outcomes = [
    pipeline.run(config(), dataset=digits(), writers=[told])
    for told in (first, second)
  ]
  assert any('training 2 experts' in text for text in first.messages)
  assert {p[0] for p in first.places} == {'experts'}
  assert first.places[-1][1] == first.places[-1][2]
  assert not second.places
  assert len(list(cache.glob('experts/*/expert_*.npy'))) == 2
  results = [o.result for o in outcomes]
  assert results[0]['experts'] == results[1]['experts']
  assert results[0]['experts']['count'] == 2
  assert results[0]['test_accuracy'] == results[1]['test_accuracy']
  assert outcomes[0].artifact.data.step_size > 0


def test_damage_in_the_cache_is_made_good(cache):
  pipeline.run(config(), dataset=digits())
  file = next(cache.glob('experts/*/expert_00000.npy'))
  file.write_bytes(b'')
  told = Told()
  pipeline.run(config(), dataset=digits(), writers=[told])
  assert told.places and file.stat().st_size > 0


def test_a_named_store_is_read(tmp_path):
  made_store(tmp_path / 'store')
  told = Told()
  settings = config(experts={'store': str(tmp_path / 'store')})
  outcome = pipeline.run(
    settings, dataset=digits(), writers=[told], workdir=Workdir(tmp_path / 'w')
  )
  assert not told.places
  held = artifact.load(tmp_path / 'w' / 'distilled.npz')
  assert held.data.step_size == outcome.artifact.data.step_size
  assert held.metadata['config']['experts']['store'] == 'store'
  assert str(tmp_path) not in json.dumps(held.metadata)


def refusals(path):
  """`{what: (settings, data, words)}` for a store of `config()`."""
  named = {'experts': {'store': str(path)}}
  return {
    'network': (
      config(**named, network={'width': 9}), digits(), 'network.width (8'
    ),
    'data': (config(**named), digits(147), 'another data.'),
    'split': (config(**named), digits(seed=1), 'data.validation.seed (0'),
    'preprocessing': (
      config(**named, preprocessing='none'), digits(), 'preprocessing'
    ),
    'epochs': (
      config(**named, method={'max_start': 4}), digits(), 'max_start=4'
    ),
    'labels': (config('datm', **named), digits(), 'soft labels need'),
    'nothing': (
      config(experts={'store': str(path / 'no')}), digits(), 'holds no experts'
    ),
    'too short': (
      config(method={'max_start': 4, 'expert_epochs': 2}), digits(),
      'experts.epochs=4 must be 5',
    ),
  }  # fmt: skip


def test_what_cannot_be_read_is_refused_before_any_compute(cache, tmp_path):
  path = tmp_path / 'store'
  made_store(path)
  before = {p.name: p.read_bytes() for p in path.iterdir()}
  for name, (settings, dataset, words) in refusals(path).items():
    with pytest.raises(UserError) as error:
      pipeline.run(settings, dataset=dataset, workdir=Workdir(tmp_path / 'w'))
    assert words in str(error.value), (name, str(error.value))
    assert '\n' not in str(error.value)
  assert not (tmp_path / 'w').exists()
  assert not list(cache.glob('experts/*'))
  assert {p.name: p.read_bytes() for p in path.iterdir()} == before


def test_soft_labels_are_read_where_they_are_kept(tmp_path):
  settings = config(experts={'keep_last': True})
  store = made_store(tmp_path / 'store', settings)
  assert store.epochs == (0, 1, 2, 4)
  where = {'store': str(store.path)}
  named = config('datm', experts=where, method={'max_start': 2})
  _, result = pipeline.run(named, dataset=digits())
  assert result['method'] == 'datm'


def test_a_method_without_experts_has_none():
  prepared = prepare(digits(), 'standardise')
  source, about = experts.source(recipe.default('kip'), prepared, Cache())
  assert source is prepared.train and about is None
  with pytest.raises(UserError, match='reads no experts'):
    experts.wanted(recipe.default('kip'), prepared)
