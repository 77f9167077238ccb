"""What is asked of an accelerator: the rows, their order, their comparison.

The whole of it, at tiny sizes, is the last test.
"""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from dd_jax.evaluation.protocols import PROTOCOLS
from dd_jax.run import recipe
from dd_jax.types import UserError
from experiments.benchmarks import CASES
from experiments.benchmarks.sizes import FREE, TINY, capped
from experiments.on_gpu import __main__ as binary
from experiments.on_gpu import good
from experiments.on_gpu.compared import compared
from experiments.on_gpu.fast import fast
from experiments.on_gpu.journal import Journal
from experiments.on_gpu.points import Asked, Point
from experiments.on_gpu.right import right
from experiments.on_gpu.work import work


def asked(path, seconds=9.0):
  return Asked(True, 'digits', path, lambda: seconds)


def rows(path):
  return [json.loads(line) for line in path.read_text().splitlines()]


def failing():
  raise RuntimeError('no\nluck')


def test_a_failed_point_is_a_row_and_is_tried_again(tmp_path):
  file, count = tmp_path / 'rows.jsonl', []
  points = [
    ('a', Point('bad', failing)),
    ('a', Point('good', lambda: count.append(1) or {'value': 3})),
  ]
  for _ in range(2):
    journal = Journal(file, {'device': 'x'})
    assert work(points, asked(tmp_path), journal) == 0
  found = rows(file)
  assert [row['case'] for row in found] == ['bad', 'good', 'bad']
  assert found[0]['error'] == 'RuntimeError: no luck'
  assert found[1]['value'] == 3 and len(count) == 1
  # On another device nothing is done yet.
  work(points, asked(tmp_path), Journal(file, {'device': 'y'}))
  assert len(count) == 2


def test_nothing_is_begun_that_there_is_no_time_for(tmp_path):
  file = tmp_path / 'rows.jsonl'
  points = [
    ('a', Point('long', dict, seconds=10.0)),
    ('a', Point('short', dict)),
  ]
  assert work(points, asked(tmp_path), Journal(file, {})) == 1
  assert [row['case'] for row in rows(file)] == ['short']
  assert work(points, asked(tmp_path, 0.0), Journal(file, {})) == 1


def test_a_torn_line_is_dropped(tmp_path):
  file = tmp_path / 'rows.jsonl'
  Journal(file, {}).add({'stage': 'a', 'case': 'b'})
  with file.open('a') as opened:
    opened.write('{"stage": "a", "ca')
  journal = Journal(file, {})
  assert journal.done('a', 'b') and not journal.done('a', 'c')
  journal.add({'stage': 'a', 'case': 'c'})
  assert [row['case'] for row in rows(file)] == ['b', 'c']


def test_differences_are_relative_and_over_all_leaves():
  rng = np.random.default_rng(0)
  a, b = rng.normal(size=(20, 3)), rng.normal(size=7)
  same = compared((a, b), (a, b), 1e-3)
  assert same['right'] and same['median'] == same['norm'] == 0.0
  assert same['cosine'] == 1.0
  off = compared((1.01 * a, 1.01 * b), (a, b), 1e-3)
  assert not off['right']
  assert off['norm'] == pytest.approx(0.01, rel=1e-2)
  # One number that went elsewhere moves the norm alone.
  moved = a.copy()
  moved[0, 0] += 5
  flipped = compared((moved, b), (a, b), 1e-3)
  assert flipped['right'] and flipped['norm'] > 0.1


@pytest.mark.parametrize('bad', [np.zeros(3), np.array([1.0, np.nan, 2.0])])
def test_what_compares_nothing_is_refused(bad):
  with pytest.raises(ValueError, match='compare'):
    compared(bad, bad, 1.0)


def test_every_method_protocol_and_case_has_its_point(tmp_path):
  names = [point.name for point in right(asked(tmp_path))]
  assert len(set(names)) == len(names)
  assert set(recipe.METHODS) < set(names)
  assert {f'protocol {name}' for name in PROTOCOLS} < set(names)
  timed = [point.name for point in fast(asked(tmp_path))]
  assert timed[0] == 'peaks' and set(timed[1:]) < set(CASES)


@pytest.mark.parametrize('rehearse', [True, False])
def test_every_run_has_a_configuration(tmp_path, rehearse):
  for run in good.RUNS:
    config = good.configured(asked(tmp_path)._replace(rehearse=rehearse), run)
    assert config['dataset'] == 'digits'
    assert config['evaluation']['baselines'] == ()
    assert config['ipc'] == (1 if rehearse else run.ipc)
    assert (config['num_steps'] == 2) == rehearse


def test_sizes_are_held_below():
  config = recipe.default('frepo')
  small = capped(config, TINY)
  assert small['method']['batch_size'] == TINY['batch_size']
  assert small['network']['width'] == TINY['width']
  assert small['method']['flip'] is False
  assert config['method']['batch_size'] == 1024, 'the original is left alone'
  assert capped(config, FREE) == config


def test_an_update_is_the_same_by_either_schedule(tmp_path):
  [point] = [p for p in right(asked(tmp_path)) if p.name == 'kip']
  assert point.measure()['right']


@pytest.mark.parametrize(
  ('flag', 'words'),
  [
    ('--stages=rigth', '--stages'),
    ('--minutes=-1', '--minutes=-1'),
    ('--cases=kpi', r"--cases='kpi': unknown \(did you mean kip"),
    ('--quiet', '--output: missing'),
  ],
)
def test_what_is_refused(flag, words, tmp_path):
  given = [] if flag == '--quiet' else [f'--output={tmp_path}']
  binary.FLAGS.unparse_flags()
  binary.FLAGS(['', '--rehearse', *given, flag])
  with pytest.raises(UserError, match=words):
    binary.on_gpu()


@pytest.mark.slow
def test_the_whole_is_rehearsed(tmp_path):
  """In two minutes, and what there was no time for by the next calls."""
  command = [sys.executable, '-m', 'experiments.on_gpu', '--rehearse']
  done = subprocess.run(
    [*command, f'--output={tmp_path}', '--minutes=60'],
    env={
      **os.environ,
      'PYTHONPATH': str(pathlib.Path(__file__).parents[2]),
      'DD_JAX_CACHE': str(tmp_path / 'cache'),
      'JAX_PLATFORMS': 'cpu',
    },
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  found = rows(tmp_path / 'rows.jsonl')
  assert {row['stage'] for row in found} == set(binary.STAGES)
  assert not [row for row in found if 'error' in row]
  assert not [row for row in found if row.get('right') is False]
