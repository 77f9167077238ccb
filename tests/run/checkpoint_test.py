"""Checkpoints come back bit for bit, or the user is told why not."""

import logging
import os
import signal
import subprocess
import sys
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

from dd_jax.run import checkpoint
from dd_jax.run.checkpoint import Checkpointer
from dd_jax.types import UserError

IDENTITY = {
  'method': 'kip',
  'config': {'method': {'ridge': 1e-6}, 'shape': (8, 8)},
  'seed': 0,
}


class Inner(NamedTuple):
  key: jax.Array
  nothing: None
  empty: jax.Array


def tree(seed=0):
  x = np.random.default_rng(seed).normal(size=(3, 5))
  return {
    'float': jnp.asarray(x, jnp.float32),
    'half': jnp.asarray(x, jnp.bfloat16),
    'scalar': jnp.float32(seed + 0.5),
    'count': jnp.int32(seed),
    'byte': jnp.arange(7, dtype=jnp.uint8),
    'flag': jnp.array([True, False]),
    'inner': Inner(jax.random.key(seed), None, jnp.zeros((0, 4))),
    'list': [jnp.array(jnp.nan), (jnp.array(-jnp.inf),)],
  }


def abstract(value):
  return jax.eval_shape(lambda: value)


def bits(value):
  leaves = [
    jax.random.key_data(x)
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    else x
    for x in jax.tree.leaves(value)
  ]
  return [(x.dtype, x.shape, np.asarray(x).tobytes()) for x in leaves]


def make(path, identity=IDENTITY, **kwargs):
  return Checkpointer(path / 'checkpoints', identity, **kwargs)


def saved(path, *steps):
  for step in steps:
    make(path).save(step, tree(step), {'seconds': step})
  return make(path)


def test_what_is_restored_is_what_was_saved(tmp_path):
  restored = saved(tmp_path, 5).restore(abstract(tree()))
  assert restored.step == 5 and restored.note == {'seconds': 5}
  assert restored.messages == ()
  assert bits(restored.tree) == bits(tree(5))
  assert jax.tree.structure(restored.tree) == jax.tree.structure(tree(5))
  assert isinstance(restored.tree['inner'], Inner)


def test_what_is_restored_may_be_donated(tmp_path):
  restored = saved(tmp_path, 1).restore(tree()).tree['float']
  jax.jit(lambda x: x + 1, donate_argnums=0)(restored)
  assert restored.is_deleted()


def test_the_newest_is_restored_and_the_oldest_goes(tmp_path):
  checkpointer = saved(tmp_path, 1, 2, 30)
  assert checkpointer.latest_step() == 30
  assert checkpointer.restore(tree()).step == 30
  steps = [p.name for p in (tmp_path / 'checkpoints').iterdir()]
  assert sorted(s for s in steps if s.isdigit()) == ['2', '30']


def test_nothing_there_is_nothing_restored(tmp_path):
  assert make(tmp_path).latest_step() is None
  assert make(tmp_path).restore(tree()) is None
  assert not (tmp_path / 'checkpoints').exists()


def test_a_step_is_saved_once(tmp_path):
  checkpointer = saved(tmp_path, 4)
  checkpointer.save(4, tree(9))
  assert bits(checkpointer.restore(tree()).tree) == bits(tree(4))


def test_saving_is_silent(tmp_path, caplog, capfd):
  caplog.set_level(logging.DEBUG)
  checkpointer = saved(tmp_path, 1)
  checkpointer.save(2, tree(2))
  checkpointer.restore(tree())
  assert [r for r in caplog.records if 'orbax' in r.pathname] == []
  assert capfd.readouterr() == ('', '')


def test_due(tmp_path):
  assert not make(tmp_path).due()
  assert make(tmp_path, every_seconds=0).due()


def test_another_runs_checkpoint_is_refused(tmp_path):
  saved(tmp_path, 1)
  other = {
    'method': 'kip',
    'config': {'method': {'ridge': 1e-5}, 'shape': (8, 8)},
    'seed': 1,
  }
  with pytest.raises(UserError) as info:
    make(tmp_path, other).restore(tree())
  text = str(info.value)
  assert 'config.method.ridge is 1e-06 there and 1e-05 here' in text
  assert 'seed is 0 there and 1 here' in text
  assert '--overwrite' in text and '--workdir' in text and '\n' not in text
  assert bits(make(tmp_path).restore(tree()).tree) == bits(tree(1))


def test_without_resume_checkpoints_are_refused(tmp_path):
  saved(tmp_path, 1)
  with pytest.raises(UserError, match=r'--resume.*--overwrite'):
    make(tmp_path, resume=False)


@pytest.mark.parametrize(
  'change',
  [
    lambda t: {**t, 'float': jnp.zeros((3, 6))},
    lambda t: {**t, 'float': jnp.zeros((3, 5), jnp.int32)},
    lambda t: {**t, 'more': jnp.zeros(3)},
  ],
)
def test_another_structure_is_refused(tmp_path, change):
  with pytest.raises(UserError, match='written by another version'):
    saved(tmp_path, 1).restore(change(tree()))


def files(folder):
  return [p for p in sorted(folder.rglob('*')) if p.is_file()]


def test_damage_falls_back_and_says_so(tmp_path):
  folder = tmp_path / 'checkpoints' / '2'
  saved(tmp_path, 1, 2)
  for path in files(folder):
    path.write_bytes(path.read_bytes()[:-9])
  restored = make(tmp_path).restore(tree())
  assert restored.step == 1 and bits(restored.tree) == bits(tree(1))
  assert len(restored.messages) == 1
  assert f'damaged checkpoint: {folder}/' in restored.messages[0]
  assert '\n' not in restored.messages[0]
  # The step is free to be saved again; the damaged files are still there.
  saved(tmp_path, 2)
  assert make(tmp_path).restore(tree()).step == 2
  assert (folder.parent / 'damaged-2').is_dir()


@pytest.mark.parametrize('how', ['emptied', 'removed', 'flipped'])
def test_every_damaged_file_is_named(tmp_path, how):
  saved(tmp_path, 1)
  for path in files(tmp_path / 'checkpoints' / '1'):
    whole = path.read_bytes()
    if not whole and how != 'removed':
      continue
    damage(path, whole, how)
    with pytest.raises(UserError, match='no other one is intact') as info:
      make(tmp_path).restore(tree())
    assert str(path) in str(info.value) and '\n' not in str(info.value)
    path.write_bytes(whole)
  assert make(tmp_path).restore(tree()).step == 1


def damage(path, whole, how):
  if how == 'removed':
    path.unlink()
  elif how == 'emptied':
    path.write_bytes(b'')
  else:
    middle = len(whole) // 2
    flipped = bytes([b ^ 0xFF for b in whole[middle : middle + 4]])
    path.write_bytes(whole[:middle] + flipped + whole[middle + 4 :])


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path, monkeypatch):
  saved(tmp_path, 1)

  def full(*args, **kwargs):
    raise OSError(28, 'No space left on device')

  for owner, name in (
    (os, 'mkdir'),
    (os, 'fsync'),
    (os, 'rename'),
    (ocp.Checkpointer, 'save'),
  ):
    with monkeypatch.context() as patch:
      patch.setattr(owner, name, full)
      with pytest.raises(UserError, match='disk that holds') as info:
        make(tmp_path).save(2, tree(2))
    assert str(tmp_path) in str(info.value) and '\n' not in str(info.value)
    assert [p.name for p in (tmp_path / 'checkpoints').iterdir()] == ['1']
    assert bits(make(tmp_path).restore(tree()).tree) == bits(tree(1))
  saved(tmp_path, 2)
  assert make(tmp_path).restore(tree()).step == 2


SAVE_FOREVER = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
from checkpoint_test import make, tree
path = pathlib.Path(sys.argv[2])
checkpointer = make(path)
first = (checkpointer.latest_step() or 0) + 1
for step in range(first, first + 10_000):
  checkpointer.save(step, tree(step))
  print(step, flush=True)
"""


def test_a_kill_while_saving_leaves_the_last_one(tmp_path):
  tests, package = (
    os.path.dirname(os.path.abspath(f)) for f in (__file__, checkpoint.__file__)
  )
  env = {
    **os.environ,
    'JAX_PLATFORMS': 'cpu',
    'PYTHONPATH': os.path.dirname(os.path.dirname(package)),
  }
  done = 0
  for pause in np.random.default_rng().uniform(0, 0.1, 3):
    with subprocess.Popen(
      [sys.executable, '-c', SAVE_FOREVER, tests, str(tmp_path)],
      env=env,
      stdout=subprocess.PIPE,
      text=True,
    ) as process:
      for _ in range(5):
        done = int(process.stdout.readline())
      time.sleep(pause)
      process.send_signal(signal.SIGKILL)
      lines = process.stdout.read().splitlines()
      done = int(lines[-1]) if lines else done
    restored = make(tmp_path).restore(tree())
    assert restored.step >= done and restored.messages == ()
    assert bits(restored.tree) == bits(tree(restored.step))
