"""Parts of a user's own: named, refused, found, and missed where they are not.

The method of `dd_jax.register`'s docstring is the one that is tried.
"""

import importlib.metadata
import os
import pathlib
import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dd_jax
from dd_jax import artifact, register
from dd_jax.evaluation.protocols import Protocol
from dd_jax.methods import METHODS
from dd_jax.networks import NETWORKS
from dd_jax.parameterization import STARTS, Parameterization
from dd_jax.run import parts, recipe, registries, settings
from dd_jax.types import LabeledData, UserError

ROOT = pathlib.Path(__file__).parents[1]
FAST = {
  'num_steps': 2,
  'validate_every': 0,
  'evaluation': {
    'protocol': 'krr-ntk',
    'others': (),
    'baselines': (),
    'whole': 'no',
    'learners': 1,
  },
}


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
  """Each test starts from the built-in parts, and an empty cache."""
  monkeypatch.setenv('DD_JAX_CACHE', str(tmp_path / 'cache'))
  held = [*registries.REGISTRIES.values(), registries.ADDED]
  before = [dict(registry) for registry in held]
  yield
  for registry, entries in zip(held, before, strict=True):
    registry.clear()
    registry.update(entries)


def example():
  """The Python of the docstring."""
  text = register.__doc__.partition('A whole method:\n')[2]
  return textwrap.dedent(text.partition("\nA factory's")[0])


def arrays(size=60):
  rng = np.random.default_rng(0)
  label = np.arange(size) % 3
  image = rng.uniform(0, 0.5, (size, 8, 8)).astype(np.float32)
  image[np.arange(size), label] += 0.4
  return image, label


def distill(**settings):
  changes = {**FAST, **settings.pop('config', {})}
  changes['evaluation'] = {**FAST['evaluation'], **changes['evaluation']}
  given = {'ipc': 2, 'progress': False, 'config': changes, **settings}
  return dd_jax.distill(*arrays(), **given)


def halves(
  ipc: int,
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  factor: int = 2,
) -> Parameterization:
  h, w, c = image_shape

  def init(key, source):
    image = STARTS['real'](key, source, ipc)
    small = (len(image), h // factor, w // factor, c)
    return {'small': jax.image.resize(image, small, 'linear')}, {}

  def decode(params, constants):
    del constants
    large = (num_classes * ipc, h, w, c)
    image = jax.image.resize(params['small'], large, 'linear')
    return LabeledData(image, jnp.repeat(jnp.eye(num_classes), ipc, 0))

  return Parameterization(init, decode)


def chance(setting):
  """Every learner guesses."""

  def score(keys, data, test):
    return jnp.full(len(keys), 1 / setting.num_classes)

  return Protocol('chance', score)


def first(key, source, ipc, features):
  """The first images of each class."""
  del key
  shown = source.take(jnp.arange(2)).image
  assert features(shown).shape[0] == 2
  return np.asarray(source.class_table)[:, :ipc]


def my_mlp(image_shape, num_classes, *, width: int = 8):
  return NETWORKS['mlp'](image_shape, num_classes, width=width, depth=1)


def polynomial(get, *, degree: int = 2):
  del get

  def kernel(x1, x2=None):
    x1, x2 = (x.reshape(len(x), -1) for x in (x1, x1 if x2 is None else x2))
    return (1 + x1 @ x2.T / x1.shape[1]) ** degree

  return kernel


def test_the_example_is_a_method_like_any_other(tmp_path):
  exec(compile(example(), 'docstring', 'exec'), {'__name__': 'their_package'})
  assert METHODS['mean_match'].summary == 'class means of the images'
  config = {'method': {'batch_size': 8, 'power': 1.5}, 'num_steps': 20}
  made, result = distill(
    method='mean_match', config=config, workdir=tmp_path / 'w'
  )
  assert result['method'] == 'mean_match' and result['steps'] == 20
  assert made.metadata['parts'] == {'method mean_match': 'their_package'}
  assert result['config']['optimizer']['learning_rate'] == 0.05
  rows = (tmp_path / 'w' / 'metrics.jsonl').read_text().splitlines()
  assert len(rows) > 1
  with pytest.raises(UserError, match=r'config\.method\.powr.*mean power'):
    distill(method='mean_match', config={'method': {'powr': 2.0}})


def test_every_kind_of_part_takes_part():
  register.parameterization('halves', halves)
  register.network('my_mlp', my_mlp)
  register.kernel('polynomial', polynomial)
  register.protocol('chance', chance)
  register.selection('first', first, summary='the first ones')
  changes = {
    'parameterization': {'name': 'halves'},
    'kernel': {'name': 'polynomial', 'degree': 3},
    'method': {'batch_size': 12},
    'evaluation': {
      'protocol': 'krr-ntk',
      'others': ('chance', 'dc'),
      'baselines': ('first',),
      'steps': 3,
      'network': {'name': 'my_mlp', 'width': 6},
    },
  }
  made, result = distill(config=changes)
  assert result['config']['kernel']['degree'] == 3
  assert result['other_scores']['chance']['mean'] == pytest.approx(33.3333)
  assert 'my_mlp width=6' in result['other_scores']['dc']['protocol']
  assert result['baselines']['first']['mean'] > 0
  assert {*made.metadata['parts']} == {
    'parameterization halves',
    'kernel polynomial',
    'network my_mlp',
    'protocol chance',
    'selection first',
  }
  assert result['stored_floats'] == 3 * 2 * 16
  # Nobody learns labels: the budget is in images alone.
  assert result['stored_images_per_class'] == 0.5
  again = distill(method='first', config={'num_steps': 0})
  assert again.result['method'] == 'first'
  assert METHODS['first'].summary == 'the first ones'


def test_a_method_may_take_a_second_network():
  seen = []

  def taught(parameterization, network, teacher, optimizer):
    shapes = jax.eval_shape(teacher.init, jax.random.key(0))
    seen.extend(x.shape for x in jax.tree.leaves(shapes))
    return METHODS['kip'].factory(parameterization, kernel, optimizer)

  kernel = lambda a, b=None: (
    1 + jnp.einsum('nhwc,mhwc->nm', a, a if b is None else b)
  )
  register.method('taught', taught, summary='of two networks')
  changes = {'teacher': {'name': 'mlp', 'width': 7}}
  config = recipe.update(recipe.default('taught'), changes)
  setting = parts.Setting((4, 4, 1), 3)
  parts.build(config, setting)
  assert (16, 7) in seen and (7, 3) in seen
  assert 'teacher' not in recipe.default('kip')
  with pytest.raises(UserError, match=r'teacher\.name'):
    recipe.update(recipe.default('taught'), {'teacher': {'name': 'no'}})
  with pytest.raises(UserError, match='teacher: unknown field'):
    recipe.update(recipe.default('kip'), changes)


def test_a_selection_is_shown_the_features_of_a_network(monkeypatch):
  from dd_jax.run import examiner

  asked = []

  def features(*arguments):
    asked.append('trained')
    return lambda image: image.reshape(len(image), -1)

  monkeypatch.setattr(examiner, 'trained_features', features)
  register.selection('first', first)
  by_network = {'features': 'network'}
  distill(method='random', config={'num_steps': 0, 'evaluation': by_network})
  assert not asked
  distill(method='first', config={'num_steps': 0, 'evaluation': by_network})
  assert asked == ['trained']


def test_what_may_change_under_its_name_is_not_cached():
  calls = []

  def counted(key, source, ipc, features):
    calls.append(ipc)
    return first(key, source, ipc, features)

  register.selection('counted', counted)
  with_it = {'evaluation': {'baselines': ('counted',)}}
  for _ in range(2):
    distill(config={'method': {'batch_size': 12}, **with_it})
  assert len(calls) == 2


def no_default(optimizer, *, rate: float):
  del optimizer, rate


def anything(**settings):
  del settings


def by_place(width: int = 2, /):
  del width


def a_tuple(*, widths: tuple = (1, 2)):
  del widths


def a_name(*, name: str = 'x'):
  del name


def negative(*, offset: float = -1.0):
  del offset


def fitting(optimizer, *, rate: float = 1.0):
  del optimizer, rate


def deep_kernel(image_shape, num_classes, *, kernel: int = 3):
  del image_shape, num_classes, kernel


def shapeless(*, width: int = 3):
  del width


def by_network(ipc, network):
  del ipc, network


REFUSED = {
  'taken': (register.method, 'kip', fitting, 'there is one of that name'),
  'capitals': (register.method, 'Mine', fitting, 'lower-case'),
  'hyphen': (register.network, 'my-mlp', my_mlp, 'lower-case'),
  'number': (register.protocol, '1st', chance, 'lower-case'),
  'empty': (register.kernel, '', polynomial, 'lower-case'),
  'no default': (register.method, 'mine', no_default, "'rate' has no default"),
  'kwargs': (register.method, 'mine', anything, 'write out every setting'),
  'by place': (register.method, 'mine', by_place, 'cannot be given by name'),
  'tuple': (register.method, 'mine', a_tuple, 'the default (1, 2); allowed'),
  'name': (register.method, 'mine', a_name, 'means something else'),
  'negative': (register.method, 'mine', negative, 'offset=-1.0: allowed are 0'),
  'a part': (register.network, 'mine', deep_kernel, "'kernel' has a name that"),
  'shapes': (register.network, 'mine', shapeless, "parameter 'image_shape'"),
  'get': (register.kernel, 'mine', shapeless, "needs a parameter 'get'"),
  'unknown': (register.parameterization, 'mine', by_network, 'needs a default'),
  'protocol': (register.protocol, 'mine', first, 'must take 1 argument;'),
  'selection': (register.selection, 'mine', chance, 'must take 4 arguments;'),
  'method taken': (register.selection, 'kip', first, 'one of that name'),
}  # fmt: skip


@pytest.mark.parametrize('name', REFUSED)
def test_refused_in_one_line(name):
  add, part, factory, words = REFUSED[name]
  before = {kind: [*held] for kind, held in registries.REGISTRIES.items()}
  with pytest.raises(UserError) as error:
    add(part, factory)
  assert words in str(error.value) and '\n' not in str(error.value)
  assert {
    kind: [*held] for kind, held in registries.REGISTRIES.items()
  } == before


def test_a_recipe_of_fields_that_are_not_is_refused():
  with pytest.raises(UserError, match=r"method 'mine': config\.num_step:"):
    register.method('mine', fitting, recipe={'num_step': 3})
  assert 'mine' not in METHODS
  register.method('mine', fitting, recipe={'num_steps': 3})
  assert recipe.default('mine')['method'] == {'name': 'mine', 'rate': 1.0}


def test_a_part_defined_anew_replaces_itself():
  """As the cell of a notebook does that is run twice."""
  for default in ('2', '3'):
    found: dict = {'__name__': '__main__'}
    exec(f'def cell(*, rate: int = {default}): pass', found)
    register.method('cell', found['cell'])
  assert recipe.default('cell')['method']['rate'] == 3
  with pytest.raises(UserError, match='there is one of that name'):
    register.method('cell', fitting)


def test_a_set_of_a_missing_parameterization(tmp_path):
  register.parameterization('halves', halves)
  changes = {'parameterization': {'name': 'halves', 'factor': 4}}
  config = {'method': {'batch_size': 12}, **changes}
  made = distill(config=config, workdir=tmp_path / 'w').artifact
  path = tmp_path / 'w' / 'distilled.npz'
  np.testing.assert_array_equal(dd_jax.load(path).data.image, made.data.image)
  assert made.metadata['decoder']['settings'] == {'factor': 4}
  del registries.REGISTRIES['parameterization']['halves']
  with pytest.raises(UserError, match="'halves': is from register_test, which"):
    artifact.load(path)
  with pytest.raises(
    UserError, match=r"parameterization='halves'.*register_te"
  ):
    registries.check_installed(made.metadata)


class Entry:
  """An entry point of a package that registers by a function."""

  name, module = 'mine', 'their_module'
  dist = type('Distribution', (), {'name': 'their_package'})

  def __init__(self, load):
    self.load = load


def installed(monkeypatch, *entries):
  monkeypatch.setattr(importlib.metadata, 'entry_points', lambda group: entries)


def test_installed_parts_are_loaded_once(monkeypatch):
  entry = Entry(lambda: lambda: register.network('theirs', my_mlp))
  installed(monkeypatch, entry)
  register.load_installed()
  assert 'theirs' in NETWORKS
  del NETWORKS['theirs']
  register.load_installed()
  assert 'theirs' not in NETWORKS


@pytest.mark.parametrize(
  ('error', 'words'),
  [
    (ImportError('no module\nnamed x'), 'ImportError: no module named x'),
    (UserError('network: no'), 'UserError: network: no'),
  ],
)
def test_a_package_that_fails_is_named(monkeypatch, error, words):
  def load():
    raise error

  installed(monkeypatch, Entry(load))
  with pytest.raises(UserError) as refused:
    dd_jax.distill(*arrays())
  said = str(refused.value)
  assert said.startswith('their_package: its entry point') and words in said
  assert '\n' not in said


def test_a_recipe_file_may_register_what_it_names(tmp_path):
  (tmp_path / 'mine.py').write_text(
    'from ml_collections import ConfigDict\n'
    'from dd_jax import register\n'
    'from dd_jax.networks import mlp\n'
    'from dd_jax.run import recipe\n\n\n'
    'def wide(image_shape, num_classes, *, width: int = 99):\n'
    '  return mlp(image_shape, num_classes, width=width)\n\n\n'
    "register.network('wide', wide)\n\n\n"
    'def get_config(ipc: int = 1) -> ConfigDict:\n'
    "  changes = {'ipc': ipc, 'network': {'name': 'wide'}}\n"
    "  return ConfigDict(recipe.update(recipe.default('dm'), changes))\n"
  )
  read = lambda: settings.configuration(
    str(tmp_path / 'mine.py'), {}, {'network.width': '7'}
  )
  config = read()
  assert read() == config and config['network'] == {'name': 'wide', 'width': 7}
  made = parts.build_network(config['network'], parts.Setting((8, 8, 1), 3))
  params = made.init(jax.random.key(0))['params']
  assert params['Dense_0']['kernel'].shape == (64, 7)


# A package of somebody else's, installed.


PLUGIN = """
import jax
import jax.numpy as jnp

from dd_jax.parameterization import STARTS
from dd_jax.types import LabeledData
"""


@pytest.fixture
def site(tmp_path):
  """A folder of installed packages, with one that has parts of its own."""
  folder = tmp_path / 'site'
  about = folder / 'their_package-1.2.dist-info'
  about.mkdir(parents=True)
  about.joinpath('METADATA').write_text(
    'Metadata-Version: 2.1\nName: their-package\nVersion: 1.2\n'
  )
  about.joinpath('top_level.txt').write_text('their_parts\n')
  about.joinpath('entry_points.txt').write_text(
    '[dd_jax.parts]\ntheirs = their_parts\n'
  )
  lines = pathlib.Path(__file__).read_text().splitlines(keepends=True)
  start = lines.index('def halves(\n')
  stop = lines.index('def chance(setting):\n')
  more = "register.parameterization('halves', halves)\n"
  text = PLUGIN + example() + ''.join(lines[start:stop]) + more
  (folder / 'their_parts.py').write_text(text)
  return folder


def call(tmp_path, name, *arguments, site=''):
  return subprocess.run(
    [sys.executable, '-m', 'dd_jax', name, *arguments],
    cwd=tmp_path,
    env={
      **os.environ,
      'PYTHONPATH': f'{ROOT}{os.pathsep}{site}',
      'DD_JAX_CACHE': str(tmp_path / 'cache'),
      'JAX_PLATFORMS': 'cpu',
    },
    capture_output=True,
    text=True,
    check=False,
    timeout=600,
  )


@pytest.mark.slow
def test_an_installed_package(site, tmp_path):
  recipe_file = tmp_path / 'mine.py'
  recipe_file.write_text(
    'from ml_collections import ConfigDict\n'
    'from dd_jax.run import recipe\n\n\n'
    'def get_config(ipc: int = 1) -> ConfigDict:\n'
    "  changes = {'ipc': ipc, 'num_steps': 2, 'validate_every': 0,\n"
    "    'parameterization': {'name': 'halves'}}\n"
    "  config = recipe.update(recipe.default('mean_match'), changes)\n"
    '  return ConfigDict(config)\n'
  )
  run = call(
    tmp_path,
    'distill',
    '--config=mine.py:2',
    '--method=mean_match',
    '--workdir=w',
    '--config.method.batch_size=20',
    '--config.evaluation.protocol=krr-ntk',
    '--config.evaluation.baselines=',
    site=site,
  )
  assert run.returncode == 0, run.stderr
  assert 'mean_match on digits, 2 images per class, 2 steps' in run.stdout
  scored = call(tmp_path, 'evaluate', '--artifact=w/distilled.npz', site=site)
  assert scored.returncode == 0, scored.stderr
  assert 'test accuracy under krr-ntk' in scored.stdout
  alone = call(tmp_path, 'evaluate', '--artifact=w/distilled.npz')
  assert alone.returncode == 2
  assert alone.stderr.splitlines() == [
    "error: w/distilled.npz: decoder 'halves': is from their-package 1.2, "
    'which is not installed here'
  ]


def test_list_names_the_methods_of_an_installed_package(site, tmp_path):
  shown = call(tmp_path, 'list', 'methods', site=site)
  found = dict(line.split(maxsplit=1) for line in shown.stdout.splitlines())
  assert found['mean_match'] == 'class means of the images'
  (site / 'their_parts.py').write_text('1 / 0\n')
  broken = call(tmp_path, 'list', 'methods', site=site)
  assert broken.returncode == 2 and broken.stdout == ''
  [line] = broken.stderr.splitlines()
  assert line.startswith("error: their-package: its entry point 'theirs'")
  assert 'ZeroDivisionError' in line
