"""What `--config=FILE:ARGUMENT` passes to a recipe file, with the flags."""

import pathlib

import pytest

from dd_jax import recipes
from dd_jax.run import recipe, unknown
from dd_jax.run.settings import configuration
from dd_jax.types import UserError

SEVERAL = """
from ml_collections import ConfigDict
from dd_jax.run import recipe

def get_config(dataset='of_file', ipc=4):
  changes = {'data_dir': f'{dataset} {ipc}', 'dataset': dataset, 'ipc': ipc}
  return ConfigDict(recipe.update(recipe.default('kip'), changes))
"""
ONE = SEVERAL.replace("dataset='of_file', ", '').replace('{dataset}', 'one')
ONE = ONE.replace("'dataset': dataset, ", '')


@pytest.fixture
def passed(tmp_path, monkeypatch):
  """`passed('r.py:3', ipc=1)`: what a file of that text saw, and its fields."""
  monkeypatch.chdir(tmp_path)

  def run(text: str, argument: str, **flags):
    pathlib.Path('r.py').write_text(text)
    config = configuration(f'r.py{argument}', flags, {})
    return config['data_dir'], config['dataset'], config['ipc']

  return run


@pytest.mark.parametrize(
  ('argument', 'flags', 'saw', 'dataset', 'ipc'),
  [
    ('', {}, 'of_file 4', 'of_file', 4),
    (':', {}, 'of_file 4', 'of_file', 4),
    (':cifar10,3', {}, 'cifar10 3', 'cifar10', 3),
    (':cifar10', {}, 'cifar10 4', 'cifar10', 4),
    (':3', {}, 'of_file 3', 'of_file', 3),
    (':3', {'dataset': 'mnist.npz'}, 'mnist 3', 'mnist.npz', 3),
    (':mnist', {'ipc': 5}, 'mnist 5', 'mnist', 5),
    ('', {'dataset': '/x/mnist.npz', 'ipc': 5}, 'mnist 5', '/x/mnist.npz', 5),
    ('', {'dataset': 'x/mnist/'}, 'mnist 4', 'x/mnist/', 4),
    # Another set under the settings of one that the file knows.
    (':mnist,3', {'dataset': 'a/b'}, 'mnist 3', 'a/b', 3),
    (':mnist,3', {'ipc': 5}, 'mnist 3', 'mnist', 5),
  ],
)
def test_a_file_for_several_sets(passed, argument, flags, saw, dataset, ipc):
  assert passed(SEVERAL, argument, **flags) == (saw, dataset, ipc)


@pytest.mark.parametrize(
  ('argument', 'flags', 'saw', 'dataset', 'ipc'),
  [
    ('', {}, 'one 4', 'digits', 4),
    (':3', {'dataset': 'x/mnist.npz'}, 'one 3', 'x/mnist.npz', 3),
    ('', {'dataset': 'mnist', 'ipc': 5}, 'one 5', 'mnist', 5),
  ],
)
def test_a_file_for_one_set(passed, argument, flags, saw, dataset, ipc):
  assert passed(ONE, argument, **flags) == (saw, dataset, ipc)


@pytest.mark.parametrize(
  'argument', ['0', 'a,0', ',', 'a,', '3,a', 'a,b', 'a,1,2']
)
def test_a_wrong_argument_is_refused(passed, argument):
  with pytest.raises(UserError, match='after the colon, DATASET,IPC or one'):
    passed(SEVERAL, f':{argument}')


@pytest.mark.parametrize('argument', ['mnist', 'mnist,3'])
def test_a_file_for_one_set_takes_no_other(passed, argument):
  words = r'--config=r.py: is for one data set: after the colon, IPC alone'
  with pytest.raises(UserError, match=words):
    passed(ONE, f':{argument}')


def test_another_signature_is_no_recipe(passed):
  with pytest.raises(UserError, match=r'get_config\(dataset, ipc\).*TypeError'):
    passed(ONE.replace('ipc=4', 'n=4'), ':3')


def test_a_published_file_by_each_form():
  file = 'published/frepo'
  for argument, flags, ipc in (
    (':cifar100,1', {}, 1),
    (':1', {'dataset': 'cifar100'}, 1),
    (':cifar100', {}, 10),
    ('', {'dataset': '/x/cifar100.npz', 'ipc': 1}, 1),
  ):
    config = configuration(file + argument, flags, {})
    assert config['dataset'] == flags.get('dataset', 'cifar100')
    assert (config['ipc'], config['method']['flip']) == (ipc, ipc == 1)
  with pytest.raises(
    UserError, match=r"'cifar1': unknown \(did you mean cifar"
  ):
    configuration(f'{file}:cifar1,10', {}, {})
  with pytest.raises(UserError, match=r"dataset='flowers': unknown; allowed"):
    configuration(file, {'dataset': 'in/flowers'}, {})


def test_without_a_file_the_set_and_method_choose_it():
  flags = {'dataset': '/x/mnist.npz', 'method': 'dm', 'ipc': 3}
  config = configuration(None, flags, {})
  own = configuration('mnist_dm:3', {}, {})
  assert config == {**own, 'dataset': '/x/mnist.npz'}
  assert configuration(None, {}, {})['method']['name'] == 'kip'
  none = configuration(None, {'dataset': 'x', 'method': 'dm'}, {})
  assert none == {**unknown.defaults(recipe.default('dm')), 'dataset': 'x'}
  assert none['minutes'] == unknown.MINUTES


def test_who_says_how_many_steps_says_no_time():
  for named, fields in (({'num_steps': 7}, {}), ({}, {'num_steps': '7'})):
    config = configuration(None, {'dataset': 'x', **named}, fields)
    assert (config['num_steps'], config['minutes']) == (7, 0.0)
  both = {'dataset': 'x', 'num_steps': 7, 'minutes': 2.5}
  assert configuration(None, both, {})['minutes'] == 2.5
  assert configuration('mnist_dm', {}, {})['minutes'] == 0.0


@pytest.mark.parametrize('name', ['mnist_dm', 'published/dc'])
def test_a_recipe_by_name_with_or_without_its_ending(name, tmp_path):
  path = recipes.FOLDER / f'{name}.py'
  held = configuration(f'{path}:1', {}, {})
  assert configuration(f'{name}:1', {}, {}) == held
  assert configuration(f'{name}.py:1', {}, {}) == held


def test_a_file_wins_over_a_recipe_of_the_same_name(passed):
  pathlib.Path('mnist_dm.py').write_text(ONE)
  assert configuration('mnist_dm.py:3', {}, {})['data_dir'] == 'one 3'
  assert configuration('mnist_dm:3', {}, {})['data_dir'] == ''


@pytest.mark.parametrize(
  ('name', 'near'),
  [
    ('experiments/configs/published/dc.py:cifar10,1', 'published/dc'),
    ('experiments/configs/mnist_dm.py', 'mnist_dm'),
    ('mnist_dn', 'mnist_dm'),
    ('dc.py', 'published/dc'),
    ('nosuch.py', None),
    ('', None),
  ],
)
def test_no_such_recipe_names_the_nearest(name, near):
  with pytest.raises(UserError, match='no such file and no recipe') as error:
    configuration(name, {}, {})
  text = str(error.value)
  assert ('did you mean' in text) == bool(near)
  assert f'(did you mean {near}?)' in text or not near
