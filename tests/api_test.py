"""The library as the README and the first page of the site show it."""

import functools
import json
import pathlib
import re
import signal
import sys

import jax
import numpy as np
import pytest

import dd_jax
from dd_jax import program
from dd_jax.run import pipeline
from dd_jax.types import UserError

ROOT = pathlib.Path(__file__).parents[1]
START = ROOT / 'docs' / 'start.md'
FAST = {
  'num_steps': 3,
  'method': {'batch_size': 30},
  'evaluation': {'others': (), 'learners': 2},
}  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
  monkeypatch.setenv('DD_JAX_CACHE', str(tmp_path / 'cache'))


def arrays(size=90):
  rng = np.random.default_rng(0)
  label = np.arange(size) % 3
  image = rng.uniform(0, 0.5, (size, 6, 6)).astype(np.float32)
  image[np.arange(size), label] += 0.4
  return image, label


def distill(*args, **kwargs):
  settings = {'ipc': 2, 'config': FAST, 'progress': False}
  return dd_jax.distill(*args, **{**settings, **kwargs})


def test_one_call(tmp_path, capfd):
  made, result = distill(*arrays(), workdir=tmp_path / 'w')
  assert made.data.image.shape == (6, 6, 6, 1)
  assert result['dataset'] == 'arrays' and result['steps'] == 3
  assert result['images_per_class'] == 2
  held = json.loads((tmp_path / 'w' / 'result.json').read_text())
  assert held == result
  assert any('no official test split' in note for note in result['notes'])
  again = dd_jax.load(tmp_path / 'w' / 'distilled.npz')
  np.testing.assert_array_equal(again.data.image, made.data.image)
  assert capfd.readouterr().out == ''


def test_nothing_is_written_without_a_workdir(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  distill(*arrays())
  assert {p.name for p in tmp_path.iterdir()} <= {'cache'}


def test_the_rows_of_a_run_without_a_folder_are_kept(tmp_path):
  alone = distill(*arrays())
  written = distill(*arrays(), workdir=tmp_path / 'w')
  losses = lambda rows: [(row['step'], row['loss']) for row in rows]
  assert losses(alone.metrics) == losses(written.metrics)
  assert [step for step, _ in losses(alone.metrics)] == [1, 2, 3]
  assert alone.validation == written.validation != []


def test_the_same_call_starts_continues_and_reads_a_run(tmp_path):
  again = functools.partial(
    distill, *arrays(), workdir=tmp_path / 'w', resume=True
  )
  first, second = again(), again()
  assert second.result == first.result and second.metrics == first.metrics
  np.testing.assert_array_equal(
    second.artifact.data.image, first.artifact.data.image
  )
  with pytest.raises(UserError, match='holds another run'):
    again(seed=1)
  with pytest.raises(UserError, match='resume=True: needs workdir'):
    distill(*arrays(), resume=True)


def test_test_arrays_and_datasets():
  image, label = arrays()
  splits = image[:60], label[:60], image[60:], label[60:]
  first = distill(*splits).result
  assert first['data']['counts']['test'] == 30
  dataset = dd_jax.from_arrays(*splits)
  second = distill(dataset).result
  assert second['test_accuracy'] == first['test_accuracy']


def test_the_seed_and_the_config_matter():
  one = distill(*arrays())
  two = distill(*arrays(), seed=1)
  assert np.any(one.artifact.data.image != two.artifact.data.image)
  method = {**FAST, 'method': {'batch_size': 30, 'ridge': 0.5}}
  ridge = distill(*arrays(), config=method)
  assert ridge.result['config']['method']['ridge'] == 0.5
  held = {**FAST, 'validation': 9.0}
  counts = distill(*arrays(), config=held).result['data']['counts']
  assert counts['validation'] == 9


WRONG = {
  'no labels': (lambda i, y: distill(i), 'y_train'),
  'lengths': (lambda i, y: distill(i, y[:-1]), '90 images'),
  'method': (lambda i, y: distill(i, y, method='kipp'), 'did you mean kip'),
  'ipc': (lambda i, y: distill(i, y, ipc=0), '--ipc=0'),
  'range': (
    lambda i, y: distill(i, y, config={'range': (0, 0.1)}),
    'range=0,0.1',
  ),
  'field': (lambda i, y: distill(i, y, config={'step': 1}), 'config.step'),
  'nan': (lambda i, y: distill(i * np.nan, y), 'x_train'),
}


@pytest.mark.parametrize('name', WRONG)
def test_mistakes_are_one_line(name, tmp_path, monkeypatch):
  monkeypatch.setattr(pipeline.driver, 'distill', None)
  call, words = WRONG[name]
  with pytest.raises(UserError) as error:
    call(*arrays())
  assert words in str(error.value) and '\n' not in str(error.value)


def blocks(path=START):
  return re.findall(r'```python\n(.*?)```', path.read_text(), re.DOTALL)


def test_the_first_page_runs(tmp_path, monkeypatch, capsys):
  """Its blocks, one after the other, word for word."""
  monkeypatch.chdir(tmp_path)
  found = {}
  for block in blocks():
    exec(compile(block, str(START), 'exec'), found)
  # One call, then the user's own loop, then a plain model on the artefact.
  assert found['outcome'].result['test_accuracy']['mean'] > 80
  assert found['distilled'].image.shape == (100, 8, 8, 1)
  assert found['accuracy'] > 0.75
  distilled, real = re.findall(r': (\S+)', capsys.readouterr().out)
  assert float(distilled) > float(real) + 15
  stated = re.search(r'prints (\S+) % .* and (\S+) ±', START.read_text())
  assert stated is not None
  # Compilers differ in the last bits, which many steps spread.
  assert abs(float(stated[1]) - float(distilled)) < 3
  assert float(stated[2]) == float(real)
  assert isinstance(found['metrics']['loss'], jax.Array)


def test_the_readme_shows_what_the_first_page_shows():
  [own] = blocks(ROOT / 'README.md')
  assert own == blocks()[0]


def test_the_users_loop_is_about_ten_lines():
  [own] = [b for b in blocks() if 'method.update' in b]
  body = [x for x in own.splitlines() if x and 'import' not in x]
  assert len(body) <= 12


def test_public_names():
  for name in dd_jax.__all__:
    assert getattr(dd_jax, name) is not None
  assert dd_jax.__version__ == dd_jax.version.VERSION
  assert 'tensorflow' not in sys.modules and 'torch' not in sys.modules


@pytest.mark.parametrize(
  ('argv', 'started', 'quiet'),
  [
    (['/usr/bin/dd-jax', 'distill'], ['python', '/usr/bin/dd-jax'], True),
    (['-m', 'distill'], ['python', '-m', 'dd_jax', 'distill'], True),
    (['-m'], ['python', '-m', 'mine'], False),
    (['mine.py', 'dd-jax'], ['python', 'mine.py', 'dd-jax'], False),
    ([], ['python'], False),
  ],
)
def test_ctrl_c_while_starting_is_quiet_in_the_program_alone(
  argv, started, quiet, monkeypatch
):
  monkeypatch.setattr(sys, 'argv', argv)
  monkeypatch.setattr(sys, 'orig_argv', started)
  before = signal.signal(signal.SIGINT, signal.default_int_handler)
  try:
    program.quiet_while_starting()
    now = signal.getsignal(signal.SIGINT)
    assert now is (signal.SIG_DFL if quiet else signal.default_int_handler)
  finally:
    signal.signal(signal.SIGINT, before)
