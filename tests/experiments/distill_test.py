"""The main command as its users meet it: what it makes and what it refuses."""

import json
import os
import pathlib
import shlex
import sys
import types
import zipfile

import numpy as np
import pytest
from PIL import Image

from dd_jax import artifact, recipes

_LABEL = np.arange(80) % 4
_IMAGE = np.zeros((80, 8, 8), np.uint8)


def files(folder='w') -> dict[str, bytes]:
  found = (p for p in pathlib.Path(folder).rglob('*') if p.is_file())
  return {str(p): p.read_bytes() for p in found}


def refused(got, *words: str) -> None:
  """One line that says all of `words`, and status 2."""
  assert got.status == 2, got
  assert got.error.startswith('error: ') and '\n' not in got.error
  for word in words:
    assert word in got.error, got.error


@pytest.mark.parametrize(
  ('flag', 'words'),
  [
    ('--dataset=mnits', ("'mnits'", "did you mean 'mnist'", 'digits, mnist')),
    ('--dataset=nosuch.npz', ('nosuch.npz', 'no such file')),
    ('--dataset=./nosuch', ("'./nosuch'", 'no such file or folder')),
    ('--method=kipp', ("--method='kipp'", 'did you mean kip?', 'frepo')),
    ('--config.method.rigde=1', ('config.method.rigde', 'mean ridge?')),
    ('--config.metod.ridge=1', ('config.metod', 'mean method?')),
    ('--config.method.ridge=abc', ("ridge='abc'", 'must be float')),
    ('--config.method.ridge=-1', ('config.method.ridge=-1.0', '0 and more')),
    ('--config.optimizer.learning_rate=1e999', ('learning_rate=inf',)),
    ('--config.ipc=3.5', ('config.ipc=3.5', 'must be int')),
    ('--config.ipc', ('needs a value',)),
    ('--config.method=3', ('config.method=3', 'group of fields')),
    ('--config.method.batch_size=0', ('batch_size=0', '1 and more')),
    ('--config.optimizer.name=adan', ("'adan'", 'did you mean adam?')),
    ('--config.evaluation.baselines=randm', ("'randm'", 'mean random?')),
    ('--config.evaluation.protocol=krr', ("'krr'", 'mean krr-ntk?')),
    ('--config.evaluation.learners=0', ('learners=0', '1 and more')),
    ('--config.validation=-0.5', ('--config.validation=-0.5',)),
    ('--config.kernel.depth=0', ('kernel.depth=0', '1 and more')),
    ('--config=nosuch.py', ('--config=nosuch.py', 'dd-jax list recipes')),
    ('--ipc=abc', ('--ipc=abc',)),
    ('--ipc=0', ('--ipc=0', '1 and more')),
    ('--seed=-1', ('--seed=-1', '0 to 4294967295')),
    ('--seed=4294967296', ('--seed=4294967296', '0 to 4294967295')),
    ('--num_steps=-5', ('--num_steps=-5',)),
    ('--image_size=-3', ('--image_size=-3',)),
    ('--range=1', ('--range=1', 'two numbers')),
    ('--range=9,1', ('range=9,1', 'a larger one')),
    ('--range=0,255', ('range=0,255', 'digits has a range of its own')),
    ('--classes=1,x', ("classes='x'", 'unknown')),
    ('--config.validation=0.0001', ('validation=0.0001', 'at least one')),
    ('--config.validation=0.99999', ('validation=0.99999', 'keeps one')),
    ('--image_size=0', ('--image_size=0', '[2, 4096]')),
    (
      '--config.parameterization.name=memry',
      ("'memry'", 'did you mean memory?'),
    ),
    ('--devices=700', ('--devices=700', 'allowed are 0 to')),
    ('--nosuch=1', ('--nosuch: unknown flag; see --help',)),
    ('--dataest=mnist', ('--dataest: unknown', 'did you mean --dataset?')),
    ('--noresume=1', ('--noresume=1',)),
    ('--config=experiments/configs/mnist_dm.py', ('did you mean mnist_dm?',)),
    ('positional', ('positional: is no flag', '--help')),
  ],
)
def test_a_wrong_flag_is_one_line_and_writes_nothing(call, flag, words):
  refused(call('--workdir=w', flag), *words)
  assert not os.path.exists('w')


@pytest.mark.parametrize(
  ('changes', 'words'),
  [
    ({'y_train': _LABEL[:-1]}, ('80 images and y_train 79 labels',)),
    ({'y_train': _LABEL + 0.5}, ('y_train', 'must be integers')),
    ({'y_train': _LABEL - 1}, ('y_train holds -1',)),
    ({'y_test': _LABEL[:40] + 9}, ('test label is 12', '0 to 3')),
    ({'x_train': np.full((80, 8, 8), np.nan)}, ('x_train holds NaN',)),
    ({'y_train': np.ones((80, 4))}, ('y_train is multi-label',)),
    ({'x_train': None}, ('no x_train',)),
    ({'x_train': np.array([{}, 1])}, ('x_train holds Python objects',)),
  ],
)
def test_a_wrong_npz_is_one_line(call, small_npz, tiny, changes, words):
  path = small_npz(**changes)
  refused(call('--workdir=w', f'--dataset={path}', *tiny, '--ipc=2'), *words)
  assert not os.path.exists('w')


@pytest.mark.parametrize('damage', ['empty', 'truncated', 'changed', 'text'])
def test_a_damaged_npz_is_one_line(call, small_npz, damage):
  path = pathlib.Path(small_npz())
  whole = path.read_bytes()
  path.write_bytes(
    {
      'empty': b'',
      'truncated': whole[:2000],
      'changed': whole[:500] + b'\xff' * 9 + whole[509:],
      'text': b'hello',
    }[damage]
  )
  refused(call(f'--dataset={path}'), str(path))


def test_wrong_images_are_one_line(call):
  _folder('unequal', lambda i: (8 + i, 8))
  refused(call('--dataset=unequal'), 'unequal', '--image_size=')
  _folder('damaged', lambda i: (8, 8))
  bad = pathlib.Path('damaged/a/3.png')
  bad.write_bytes(bad.read_bytes()[:60])
  refused(call('--dataset=damaged'), 'damaged/a/3.png')
  os.mkdir('bare')
  refused(call('--dataset=bare'), 'bare holds 0 class folders')


@pytest.mark.parametrize(
  'text', ['x = 1', 'def get_config(', 'def get_config(ipc=1): return 1 / 0']
)
def test_a_file_that_is_no_recipe_is_one_line(call, text):
  pathlib.Path('r.py').write_text(text)
  refused(call('--config=r.py'), '--config=r.py', 'is no recipe')


def test_what_is_no_text_is_no_recipe_and_is_not_run(call):
  with zipfile.ZipFile('r.py', 'w') as file:
    file.writestr('__main__.py', 'raise SystemExit(7)')
  refused(call('--config=r.py'), '--config=r.py: is a zip archive; expected')


def test_a_recipe_file_with_changes(call, tiny):
  refused(call('--config=digits_kip', '--method=frepo'), 'is for kip')
  refused(call('--config=digits_kip:0'), 'images per class')
  refused(call('--config=digits_kip:mnist'), 'is for one data set')
  refused(call('--config=published/dc:cifar,1'), 'mean cifar10?')
  got = call(
    f'--config={recipes.FOLDER}/digits_kip.py:3', '--workdir=w',
    '--num_steps=2', '--config.method.ridge=1e-4',
    '--config.evaluation.baselines=',
  )  # fmt: skip
  assert got.status == 0, got
  config = json.loads(pathlib.Path('w/result.json').read_text())['config']
  assert (config['ipc'], config['method']['ridge']) == (3, 1e-4)


def test_an_image_folder_end_to_end(call, tiny):
  _folder('in/flowers', lambda i: (9 + i, 12))
  got = call('--dataset=in/flowers', '--image_size=8', '--workdir', 'w', *tiny)
  assert got.status == 0, got
  assert 'test accuracy under krr-ntk: ' in got.out
  result = json.loads(pathlib.Path('w/result.json').read_text())
  assert result['dataset'] == result['config']['dataset'] == 'flowers'
  assert list(result['baselines']) == ['random']
  made = artifact.load('w/distilled.npz')
  assert made.class_names == ('a', 'b')
  assert made.data.image.shape == (2, 8, 8, 3)
  text = json.dumps(made.metadata)
  assert os.getcwd() not in text and 'in/' not in text
  assert {'report.html', 'distilled.png', 'labels.png', 'curves.svg'} <= {
    p.name for p in pathlib.Path('w').iterdir()
  }


def test_the_command_in_the_result_repeats_the_run(call, small_npz, tiny):
  path = small_npz('mnist')
  got = call('--workdir', 'a', '--dataset', path, *tiny)
  assert got.status == 0, got
  result = json.loads(pathlib.Path('a/result.json').read_text())
  assert result['dataset'] == 'mnist'  # the DC protocol asks for that name
  words = shlex.split(result['command'])
  assert words[:2] == ['dd-jax', 'distill']
  assert call('--workdir=b', *words[2:]).status == 0
  one, two = (pathlib.Path(d, 'distilled.npz').read_bytes() for d in 'ab')
  assert one == two


def test_whose_workdir(call, tiny):
  assert call('--workdir=w', *tiny).status == 0
  before = files()
  refused(call('--workdir=w', *tiny), '--workdir=w', '--resume', '--overwrite')
  refused(
    call('--workdir=w', '--resume', *tiny, '--seed=1'),
    'another run', 'seed was 0, now 1', '--overwrite',
  )  # fmt: skip
  refused(call('--workdir=w', '--resume', '--overwrite'), 'exclude each other')
  # Even what is to be overwritten stays until the new run passed its checks.
  refused(call('--workdir=w', '--overwrite', '--ipc=0'), 'ipc=0')
  refused(call('--workdir=w', '--overwrite', '--dataset=x.npz'), 'x.npz')
  assert files() == before
  again = call('--workdir=w', '--resume', *tiny)
  assert again.status == 0 and 'test accuracy' in again.out
  assert files() == before
  assert call('--workdir=w', '--overwrite', *tiny, '--seed=1').status == 0
  assert files() != before


def test_a_workdir_that_is_none(call):
  pathlib.Path('file').write_text('')
  refused(call('--workdir=file'), '--workdir=file', 'Not a directory')
  refused(call('--workdir=file/x'), '--workdir=file/x')
  os.mkdir('mine')
  pathlib.Path('mine/letter.txt').write_text('dear')
  for flag in ('--noresume', '--resume', '--overwrite'):
    refused(call('--workdir=mine', flag), '--workdir=mine', 'no run')
  assert os.listdir('mine') == ['letter.txt']


def test_a_workdir_that_cannot_be_written(call, monkeypatch):
  def refuse(**unused):
    raise PermissionError(13, 'Permission denied')

  monkeypatch.setattr('dd_jax.files.tempfile.mkstemp', refuse)
  refused(call('--workdir=w'), '--workdir=w', 'Permission denied')


def test_a_full_disk(call, tiny, monkeypatch):
  assert call('--workdir=w', *tiny).status == 0
  pathlib.Path('w/result.json').unlink()
  before = files()

  def full(*unused):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr('dd_jax.files.os.fsync', full)
  refused(call('--workdir=w', '--resume', *tiny), 'w/', 'full', '--resume')
  assert files() == before
  monkeypatch.undo()


def test_resume_with_nothing_there_starts_anew_and_says_so(call, tiny):
  got = call('--workdir=w', '--resume', *tiny)
  assert got.status == 0 and 'no checkpoint in w yet, starting anew' in got.out


def test_damaged_files_of_a_run(call, tiny):
  assert call('--workdir=w', *tiny).status == 0
  pathlib.Path('w/distilled.npz').write_bytes(b'PK')
  refused(call('--workdir=w', '--resume', *tiny), 'w/distilled.npz')
  pathlib.Path('w/result.json').write_text('{')
  refused(call('--workdir=w', '--resume', *tiny), 'w/result.json', 'damaged')
  pathlib.Path('w/result.json').unlink()
  assert call('--workdir=w', '--resume', *tiny).status == 0
  artifact.load('w/distilled.npz')
  pathlib.Path('w/result.json').unlink()
  for about in pathlib.Path('w/checkpoints').glob('*/about.json'):
    about.write_text('{')
  refused(call('--workdir=w', '--resume', *tiny), 'about.json', '--overwrite')
  pathlib.Path('w/run.json').write_text('')
  refused(call('--workdir=w', '--resume', *tiny), 'w/run.json', 'damaged')


def test_a_loss_that_is_not_finite(call, tiny):
  got = call('--workdir=w', *tiny, '--config.optimizer.learning_rate=1e38')
  refused(got, 'step ', 'checkpoint', 'learning rate')
  assert not os.path.exists('w/distilled.npz')


def test_tensorboard_is_refused_before_anything_is_computed(call, monkeypatch):
  monkeypatch.setitem(sys.modules, 'tensorboardX', None)
  refused(call('--workdir=w', '--tensorboard'), 'pip install tensorboardX')
  assert not os.path.exists('w')


def test_tensorboard_is_told_everything(call, tiny, monkeypatch):
  told = []

  class SummaryWriter:
    def __init__(self, directory, purge_step=None):
      told.append((directory, purge_step))

    def add_scalar(self, name, value, step):
      told.append((name, step))

    def flush(self):
      pass

    def close(self):
      told.append('closed')

  fake = types.SimpleNamespace(SummaryWriter=SummaryWriter)
  monkeypatch.setitem(sys.modules, 'tensorboardX', fake)
  assert call('--workdir=w', '--tensorboard', *tiny).status == 0
  assert told[0] == ('w/tensorboard', None) and told[-1] == 'closed'
  assert ('loss', 6) in told and ('validation/accuracy', 6) in told


@pytest.mark.parametrize('flag', ['-h', '--help'])
def test_help_lists_methods_and_sets(call, flag):
  status, error, out = call(flag)
  for word in (
    'frepo, ',
    'fashion_mnist',
    '--config.FIELD=VALUE',
    'NAME:DATASET,IPC',
    '[no]resume',
  ):
    assert word in out
  assert max(map(len, out.splitlines())) <= 80
  assert status == 0 and not error


def _folder(path: str, size) -> None:
  """Two classes of eight pictures; `size(i)` is the height and width."""
  rng = np.random.default_rng(0)
  for c, name in enumerate('ab'):
    os.makedirs(f'{path}/{name}')
    for i in range(8):
      pixels = rng.integers(0, 99, (*size(i), 3)) + 120 * c
      Image.fromarray(pixels.astype(np.uint8)).save(f'{path}/{name}/{i}.png')


OWN = """
from flax import nnx


def linear(image_shape, num_classes, rngs):
  return Linear(image_shape[0] ** 2, num_classes, rngs)


class Linear(nnx.Module):
  def __init__(self, size, num_classes, rngs):
    self.head = nnx.Linear(size, num_classes, rngs=rngs)

  def __call__(self, x):
    return self.head(x.reshape(len(x), -1))
"""


@pytest.mark.parametrize(
  'method, words',
  [
    ('dm', 'returns logits alone, and features are asked of it'),
    ('kip', '--network=own.py:linear: kip uses none'),
  ],
)
def test_what_a_network_of_a_file_lacks_is_one_line(
  call, small_npz, tiny, tmp_path, method, words
):
  (tmp_path / 'own.py').write_text(OWN)
  data = f'--dataset={small_npz()}'
  asked = (data, f'--method={method}', '--network=own.py:linear', *tiny)
  status, error, _ = call('--workdir=w', *asked, '--quiet')
  assert status == 2 and words in error and '\n' not in error, error
