"""A grid of runs: what is run, what is kept, what is refused."""

import json
import signal
import time

import pytest

from dd_jax.run import grid
from dd_jax.types import UserError

JUDGE = """
learners = 1
steps = 3
protocols = ['dc', 'krr-ntk']
networks = [{ name = 'mlp', width = 8 }, { name = 'mlp', width = 4 }]
"""
GRID = """
[[grid]]
datasets = ['small.npz']
methods = ['random', 'kip']
ipc = [1]
seeds = [0, 1]
seconds = 0.1
"""


def lines(path):
  return [json.loads(line) for line in path.read_text().splitlines()]


def test_cells_are_run_once_and_failures_do_not_stop_them(
  call, small_npz, tmp_path
):
  small_npz()
  path, written = tmp_path / 'g.toml', tmp_path / 's/results.jsonl'
  grids = GRID.replace("'small.npz'", "'small.npz', 'gone.npz'")
  path.write_text(JUDGE + grids.replace(", 'kip'", ''))
  flags = ('g.toml', '--workdir=s')
  got = call(*flags, command='suite')
  assert got.status == 0, got
  assert got.out.startswith('4 cells, 4 to run: 0:00 of distilling')
  held = {line['cell']: line for line in lines(written)}
  names = [f'{data}_random_1_{i}' for i in (0, 1) for data in ('small', 'gone')]
  assert list(held) == names
  assert all(
    'gone' in held[f'gone_random_1_{seed}']['error'] for seed in (0, 1)
  )
  first, second = (held[f'small_random_1_{seed}'] for seed in (0, 1))
  assert first['artifact']['sha256'] != second['artifact']['sha256']
  assert list(first['networks']) == ['mlp width=8', 'mlp width=4']
  wide, narrow = first['networks'].values()
  assert wide['protocol'] == 'dc (3 steps, mlp width=8)'
  assert list(wide['other_scores']) == ['krr-ntk']
  assert not narrow['other_scores']  # an exact one knows no network
  again = call(*flags, command='suite')
  assert again.out.startswith('4 cells, 0 to run')
  assert 'failed: gone_random_1_0, gone_random_1_1; --retry' in again.out
  got = call('s/results.jsonl', '--output=c.html', command='compare')
  assert (
    '2 seeds, 1 learner' in got.out and 'gone_random_1_1: failed:' in got.out
  )
  page = (tmp_path / 'c.html').read_text()
  assert 'alt="4 classes of small_random_1, 1 images of each"' in page
  assert 'mlp width=8' in page
  path.write_text(JUDGE.replace('3', '4') + GRID)
  got = call(*flags, command='suite')
  assert got.status == 2 and 'judge.steps was 3, now 4' in got.error


@pytest.mark.slow
def test_a_killed_cell_goes_on_and_seeds_share_what_was_measured(
  start, small_npz, tmp_path
):
  small_npz()
  grids = GRID.replace("'random', ", '').replace('0.1', '20')
  (tmp_path / 'g.toml').write_text(JUDGE + grids)
  arguments = ('suite', 'g.toml', '--workdir=s')
  plans, checkpoints = tmp_path / 's/plans.json', 's/cells/*/checkpoints/[0-9]*'
  killed = start(*arguments, '--config.num_steps=1000000')
  while not list(tmp_path.glob('s/cells/*/metrics.jsonl')):
    time.sleep(0.2)
    assert killed.poll() is None
  killed.send_signal(signal.SIGTERM)
  assert 'checkpoint' in killed.communicate(timeout=600)[1]
  [step] = {int(p.name) for p in tmp_path.glob(checkpoints)}
  [rows] = tmp_path.glob('s/cells/*/metrics.jsonl')
  begun = rows.stat().st_ino
  measured = json.loads(plans.read_text())
  done = start(*arguments, '--config.num_steps=1000000')
  _, error = done.communicate(timeout=600)
  assert done.returncode == 0, error
  assert rows.stat().st_ino == begun  # went on, did not start anew
  assert json.loads(plans.read_text()) == measured
  first, second = lines(tmp_path / 's/results.jsonl')
  assert first['steps'] == second['steps'] > step


@pytest.mark.parametrize(
  ('old', 'new', 'words'),
  [
    ('learners = 1', 'learners = 0', 'learners=0: must be a whole number fr'),
    ("['dc',", "['ds',", "protocol='ds': unknown (did you mean dsa?)"),
    ('steps', 'step', "field='step': unknown (did you mean steps?)"),
    ('seconds = 0.1', '', 'seconds: missing; must be a number above 0'),
    ('seeds = [0, 1]', 'seeds = []', 'seeds=[]: must be a list of whole'),
    ('width = 8', 'widht = 8', 'evaluation.network.widht: unknown field'),
    ("'kip'", "'kpi'", "method='kpi': unknown (did you mean kip?)"),
    (GRID, '', 'grid: missing; must be tables, [[grid]]'),
    ('[[grid]]', '[grid]', 'must be tables, [[grid]]'),
    ('learners = 1', 'learners =', 'expected a TOML file'),
  ],
)
def test_a_grid_that_says_something_else_is_refused(tmp_path, old, new, words):
  path = tmp_path / 'g.toml'
  path.write_text((JUDGE + GRID).replace(old, new))
  with pytest.raises(UserError) as caught:
    grid.read(path)
  assert words in str(caught.value) and str(path) in str(caught.value)


def test_a_grid_is_every_method_and_a_seed_of_all_before_the_next(tmp_path):
  path = tmp_path / 'g.toml'
  text = GRID.replace("methods = ['random', 'kip']\n", '')
  path.write_text(JUDGE + text + text)
  cells = grid.read(path).cells
  methods = list(grid.recipe.METHODS)
  assert [cell.method for cell in cells] == 2 * methods  # each once
  assert [cell.seed for cell in cells] == [0] * len(methods) + [1] * len(
    methods
  )


@pytest.mark.parametrize('name', ['cpu', 'gpu'])
def test_committed_grids_are_read(name):
  found = grid.read(f'experiments/suites/{name}.toml')
  assert len(found.cells) == len({cell.name for cell in found.cells}) > 100
