"""Configurations: one schema, whole defaults, and one line per mistake."""

import inspect
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax import artifact
from dd_jax.artifact import Artifact
from dd_jax.data import fitting
from dd_jax.data.source import resident
from dd_jax.distiller import Distiller
from dd_jax.experts import ResidentExperts, with_experts
from dd_jax.kernels import KERNELS, Ridge
from dd_jax.methods import METHODS
from dd_jax.networks import NETWORKS
from dd_jax.run import parts, recipe
from dd_jax.types import DistilledData, UserError

SETTING = parts.Setting((8, 8, 1), 3)
SMALL = {
  'frepo': {'network': {'width': 4, 'depth': 1}, 'method': {'pool_size': 2}},
  'rfad': {'network': {'width': 4, 'depth': 2}, 'method': {'networks': 2}},
  'rcig': {'network': {'width': 4, 'depth': 1}, 'method': {'pool_size': 2}},
  'dm': {'network': {'width': 4}},
  'cafe': {'network': {'width': 4}},
  'm3d': {'network': {'width': 4}},
  'datadam': {'network': {'width': 4, 'depth': 2}},
  'idm': {'network': {'width': 4}, 'method': {'queue_size': 4}},
  **{m: {'network': {'width': 4, 'depth': 1}} for m in ('mtt', 'tesla', 'ftd')},
  'datm': {
    'network': {'width': 4, 'depth': 1}, 'method': {'expert_labels': False}
  },
}  # fmt: skip


def source():
  rng = np.random.default_rng(0)
  image = rng.normal(size=(30, 8, 8, 1)).astype(np.float32)
  real = resident(image, np.arange(30, dtype=np.int32) % 3, 3, None)
  size = 4 * 9 + 4 + 2 * 4 + 3 * (64 + 1)  # of the network of width 4
  return with_experts(
    real, ResidentExperts(jnp.zeros((1, 9, size)), jnp.arange(9))
  )


@pytest.mark.parametrize('name', METHODS)
def test_defaults_build_and_run(name):
  config = recipe.default(name)
  changes = {'ipc': 2, 'num_steps': 2, **SMALL.get(name, {})}
  if 'batch_size' in config['method']:
    changes['method'] = {**changes.get('method', {}), 'batch_size': 6}
  recipe.update(config, changes)
  method = parts.build(config, SETTING)
  assert isinstance(method, Distiller)
  state = method.init(jax.random.key(0), source())
  assert method.distilled(state).image.shape == (6, 8, 8, 1)


@pytest.mark.parametrize('name', METHODS)
def test_round_trip_through_json(name):
  config = recipe.default(name)
  recipe.update(config, {'ipc': 3, 'evaluation': {'others': ('krr-ntk',)}})
  recipe.update(config, {'evaluation': {'network': {'name': 'mlp'}}})
  text = json.loads(json.dumps(config))
  assert recipe.update(recipe.default(name), text) == config


def test_defaults_do_not_share_anything():
  first = recipe.default('kip')
  first['evaluation']['protocol'] = 'changed'
  first['optimizer']['learning_rate'] = 9.0
  assert recipe.default('kip')['evaluation']['protocol'] == 'krr-ntk'
  assert recipe.default('kip')['optimizer']['learning_rate'] == 4e-2
  assert recipe.COMMON['evaluation']['protocol'] == 'dc'


FACTORIES = [m.factory for m in METHODS.values()]


@pytest.mark.parametrize(
  'factory', [*KERNELS.values(), *NETWORKS.values(), *FACTORIES]
)
def test_settings_are_the_signature(factory):
  """Every plain default is a field, under its name and with its value."""
  found = recipe.settings(factory)
  for name, parameter in inspect.signature(factory).parameters.items():
    default = parameter.default
    if name in recipe.PARTS or default is inspect.Parameter.empty:
      assert name not in found
    elif isinstance(default, Ridge):
      assert found[name] == default.value
    elif name == 'platform':  # an object, for Python callers
      assert name not in found
    elif default is None:
      assert found[name] == 0
    else:
      assert found[name] == default


def test_every_part_is_made():
  assert recipe.PARTS == tuple(parts._MAKERS)


@pytest.mark.parametrize('name', METHODS)
def test_every_value_is_plain(name):
  def check(value):
    if isinstance(value, dict):
      for inner in value.values():
        check(inner)
    elif isinstance(value, tuple):
      assert all(isinstance(x, str) for x in value)
    else:
      assert isinstance(value, int | float | bool | str)

  check(recipe.default(name))


WRONG = {
  'method': (lambda: recipe.default('kipp'), "'kipp'", 'kip'),
  'method far off': (lambda: recipe.default('zzz'), "'zzz'", 'allowed are kip'),
  'field': ({'ipcs': 1}, 'config.ipcs: unknown field', 'ipc'),
  'inner field': ({'method': {'rigde': 1.0}}, 'config.method.rigde', 'ridge'),
  'field of another part': (
    {'parameterization': {'name': 'memory', 'range': 'data'}},
    'config.parameterization.range: memory has no such field',
    'of parameterization have it: pixels',
  ),
  'optimizer field': (
    {'optimizer': {'lr': 1.0}},
    'config.optimizer.lr',
    'learning_rate',
  ),
  'type': ({'ipc': 'ten'}, "config.ipc='ten'", 'must be int'),
  'float for int': ({'ipc': 1.5}, 'config.ipc=1.5', 'must be int'),
  'bool for int': ({'ipc': True}, 'config.ipc=True', 'must be int'),
  'int for bool': (
    {'parameterization': {'learn_images': 1}},
    'learn_images=1',
    'must be bool',
  ),
  'group': ({'method': 'frepo'}, "config.method='frepo'", 'group of fields'),
  'network group': ({'network': 'filename'}, "='filename'", 'group of fields'),
  'evaluation group': ({'evaluation': 'dc'}, "='dc'", 'group of fields'),
  'kernel': ({'kernel': {'name': 'dens'}}, "'dens'", 'did you mean dense'),
  'network': ({'network': {'name': 'convnt'}}, "'convnt'", 'convnet'),
  'learner': ({'evaluation': {'network': {'name': 'mpl'}}}, "'mpl'", 'mlp'),
  'parameterization': (
    {'parameterization': {'name': 'pixel'}},
    "'pixel'",
    'pixels',
  ),
  'method by field': (
    {'method': {'name': 'frepo'}},
    "config.method.name='frepo'",
    'kip',
  ),
}

WRONG_TO_BUILD = {
  'optimizer': ({'optimizer': {'name': 'adm'}}, "'adm'", 'adam'),
  'schedule': ({'optimizer': {'schedule': 'cosin'}}, "'cosin'", 'cosine'),
  'rate': ({'optimizer': {'learning_rate': -1.0}}, '-1.0', 'above 0'),
  'start': ({'parameterization': {'start': 'reel'}}, "'reel'", 'real'),
  'labels': (
    {'parameterization': {'labels': 'fre'}},
    "parameterization.labels='fre'",
    'did you mean free',
  ),
  'encoding': ({'label_encoding': 'centered'}, "'centered'", 'centred'),
  'augment': ({'augment': 'flop'}, 'flop', 'flip'),
  'activation': ({'kernel': {'activation': 'gelu'}}, "'gelu'", 'relu'),
}


@pytest.mark.parametrize('name', WRONG)
def test_wrong(name):
  changes, field, hint = WRONG[name]
  with pytest.raises(UserError) as error:
    if callable(changes):
      changes()
    else:
      recipe.update(recipe.default('kip'), changes)
  text = str(error.value)
  assert field in text and hint in text and '\n' not in text


@pytest.mark.parametrize('name', WRONG_TO_BUILD)
def test_wrong_to_build(name):
  changes, field, hint = WRONG_TO_BUILD[name]
  config = recipe.update(recipe.default('kip'), changes)
  with pytest.raises(UserError) as error:
    parts.build(config, SETTING)
  text = str(error.value)
  assert field in text and hint in text and '\n' not in text


def test_refused_settings_of_a_method_say_where_they_stand():
  changes = {'method': {'networks': 0}, 'network': {'width': 4}}
  config = recipe.update(recipe.default('rfad'), changes)
  with pytest.raises(UserError, match=r'^method\.networks=0: allowed are 1'):
    parts.build(config, SETTING)


def test_numbers_may_be_written_without_a_point():
  config = recipe.update(recipe.default(), {'optimizer': {'learning_rate': 1}})
  rate = config['optimizer']['learning_rate']
  assert rate == 1 and isinstance(rate, float)


def test_another_part_brings_its_own_settings():
  config = recipe.update(recipe.default('frepo'), {'network': {'name': 'mlp'}})
  assert config['network'] == {
    'name': 'mlp',
    **recipe.settings(NETWORKS['mlp']),
  }
  recipe.update(config, {'network': {'width': 7}})
  assert config['network']['width'] == 7


def test_an_unset_size_is_none():
  network = parts.build_network(
    {'name': 'convnet', 'width': 4, 'depth': 0}, SETTING
  )
  image = np.zeros((1, 8, 8, 1), np.float32)
  out, _ = network.apply(network.init(jax.random.key(0)), image)
  # The default depth of an 8 x 8 image is one block.
  assert out.features.shape == (1, 4 * 4 * 4)


def test_a_ridge_keeps_its_rule():
  factory = lambda *, ridge=Ridge(0.5, 'absolute'): ridge  # noqa: B008
  assert recipe.settings(factory) == {'ridge': 0.5}
  made = parts._call(factory, {'ridge': 0.25}, {}, SETTING)
  assert made == Ridge(0.25, 'absolute')


SGD = {
  'name': 'sgd',
  'learning_rate': 2.0,
  'schedule': 'cosine',
  'final': 0.1,
  'momentum': 0.0,
  'weight_decay': 0.0,
}


def sgd_steps(count, **changes):
  """Updates for a gradient and a parameter of 1."""
  optimizer = parts.build_optimizer({**SGD, **changes}, 10)
  one = jnp.ones(())
  state, steps = optimizer.init(one), []
  for _ in range(count):
    step, state = optimizer.update(one, state, one)
    steps.append(-float(step))
  return steps


def test_sgd_is_pytorchs():
  """v <- m v + (g + d p); p <- p - lr v."""
  found = sgd_steps(3, schedule='constant', momentum=0.5, weight_decay=0.25)
  np.testing.assert_allclose(found, [2.5, 3.75, 4.375])


def test_halving_schedule():
  found = sgd_steps(10, schedule='halving')
  np.testing.assert_allclose(found, [2] * 6 + [1, 1, 0.5, 0.25])


@pytest.mark.parametrize(
  'changes, words',
  [
    ({'momentum': 1.0}, 'momentum=1.0'),
    ({'name': 'adam', 'momentum': 0.5}, 'momentum=0.5: only sgd'),
    ({'name': 'lamb', 'weight_decay': 0.1}, 'weight_decay=0.1: only sgd'),
  ],
)
def test_refuses_a_momentum_without_a_use(changes, words):
  with pytest.raises(UserError, match=words):
    parts.build_optimizer({**SGD, **changes}, 10)


def test_schedule():
  section = SGD
  optimizer = parts.build_optimizer(section, 10)
  one = jnp.ones(())
  state = optimizer.init(one)
  rates = []
  for _ in range(12):
    step, state = optimizer.update(one, state)
    rates.append(-float(step))
  decay = lambda t: 2 * (0.9 * (1 + np.cos(np.pi * min(t, 10) / 10)) / 2 + 0.1)
  np.testing.assert_allclose(rates, [decay(t) for t in range(12)], rtol=1e-5)
  constant = parts.build_optimizer({**section, 'schedule': 'constant'}, 10)
  assert isinstance(constant, optax.GradientTransformation)
  step, _ = constant.update(one, constant.init(one))
  np.testing.assert_allclose(step, -2.0)


@pytest.fixture
def held(tmp_path):
  """An artefact's path, its images and its labels."""
  rng = np.random.default_rng(1)
  image = rng.normal(size=(6, 8, 8, 1)).astype(np.float32)
  label = rng.normal(size=(6, 3)).astype(np.float32)
  path = tmp_path / 'd.npz'
  fitted = fitting.fit('standardise', image)
  metadata = {'label_encoding': 'centred'}
  kept = Artifact(DistilledData(image, label), fitted, None, metadata)
  artifact.save(path, kept)
  return str(path), image, label


def started(path, labels='free', **changes):
  section = {'start': path, 'labels': labels}
  changes = {'ipc': 2, 'parameterization': section, **changes}
  config = recipe.update(recipe.default('kip'), changes)
  start = parts.started_from(config).data
  method = parts.build(config, SETTING._replace(start=start))
  return method.distilled(method.init(jax.random.key(0), source()))


def test_starts_from_an_artefact(held):
  path, image, label = held
  data = started(path)
  np.testing.assert_array_equal(data.image, image)
  np.testing.assert_array_equal(data.label, label)


def test_labels_of_another_kind_start_from_the_class(held):
  path, image, _ = held
  data = started(path, labels='fixed', label_encoding='one-hot')
  np.testing.assert_array_equal(data.image, image)
  np.testing.assert_array_equal(data.label, np.eye(3).repeat(2, 0))


def test_an_absent_artefact_is_refused():
  with pytest.raises(UserError, match=r'^absent\.npz: there is no such'):
    started('absent.npz')


@pytest.mark.parametrize(
  'changes, words',
  [
    ({'preprocessing': 'kip'}, "its preprocessing is 'standardise', this"),
    ({'label_encoding': 'one-hot'}, "its label_encoding is 'centred', this"),
    ({'ipc': 3}, r'holds images of shape \(6, 8, 8, 1\)'),
  ],
)
def test_an_artefact_that_does_not_fit_is_refused(held, changes, words):
  with pytest.raises(UserError, match=words):
    started(held[0], **changes)
