"""The README's code runs as it stands."""

import pathlib
import re

import numpy as np

README = pathlib.Path(__file__).parents[1] / 'README.md'


def test_python_blocks_run_in_order(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('DD_JAX_CACHE', str(tmp_path / 'cache'))
  blocks = re.findall(r'```python\n(.*?)```', README.read_text(), re.S)
  assert len(blocks) == 3
  names: dict = {}
  for block in blocks:
    exec(block, names)
  assert names['outcome'].result['test_accuracy']['mean'] > 90
  assert names['distilled'].image.shape == (100, 8, 8, 1)
  assert np.isfinite(names['metrics']['loss'])
  assert names['accuracy'] > 0.7


def test_the_test_command_is_the_one_that_ci_runs():
  command = 'python -m pytest -n 2'
  ci = README.parent / '.ci' / 'run'
  assert command in README.read_text()
  assert f'\n{command}\n' in ci.read_text()
