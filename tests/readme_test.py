"""The README's commands are the ones in use."""

import pathlib

README = pathlib.Path(__file__).parents[1] / 'README.md'


def test_the_test_command_is_the_one_that_ci_runs():
  command = 'python -m pytest -n 2'
  ci = README.parent / '.ci' / 'run'
  assert command in README.read_text()
  assert f'\n{command}\n' in ci.read_text()
