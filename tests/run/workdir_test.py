"""A folder is one run's at a time, and holds nothing half written."""

import os
import signal
import subprocess
import sys

import pytest

from dd_jax.run.workdir import Workdir
from dd_jax.types import UserError

IDENTITY = {'config': {'seed': 0}}
KILLED = """
import os, signal, sys
from dd_jax import files
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
files.write_atomically(sys.argv[1], b'half')
"""


def names(folder):
  return sorted(path.name for path in folder.iterdir())


def claimed(folder, **kwargs):
  made = Workdir(folder, **kwargs)
  made.claim(IDENTITY)
  return made


def test_what_a_killed_run_left_is_cleared(tmp_path):
  claimed(tmp_path).close()
  command = [sys.executable, '-c', KILLED, tmp_path / 'distilled.png']
  done = subprocess.run(command, env={**os.environ, 'PYTHONPATH': '.'})
  assert done.returncode == -signal.SIGKILL
  assert any(name.startswith('.distilled.png.') for name in names(tmp_path))
  mine = ['.distilled.png.tmp', '.notes.12345678', 'distilled.png.12345678']
  for name in mine:  # not of the run
    (tmp_path / name).write_text('kept')
  claimed(tmp_path, resume=True).close()
  assert names(tmp_path) == sorted([*mine, 'run.json'])


def test_a_living_run_keeps_others_out_and_its_files(tmp_path):
  living = claimed(tmp_path)
  writing = tmp_path / '.metrics.jsonl.abcd_123'
  writing.write_text('half')
  for how in ({'resume': True}, {'overwrite': True}):
    with pytest.raises(UserError, match='another run is writing there'):
      claimed(tmp_path, **how)
  assert writing.exists() and (tmp_path / 'run.json').exists()
  living.close()
  claimed(tmp_path, resume=True).close()
  assert not writing.exists()
