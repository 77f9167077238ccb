"""The command that ranks architectures: its table, what it keeps, refuses."""

import json

import pytest

from dd_jax.run import ranking
from dd_jax.types import UserError


@pytest.mark.slow
def test_architectures_are_scored_once_and_ranked(call, small_npz, tmp_path):
  data = f'--dataset={small_npz()}'
  made = ('--method=random', '--ipc=1', '--workdir=r', data)
  scored = ('baselines=', 'others=', 'whole=no', 'learners=1', 'steps=2')
  got = call(*made, *(f'--config.evaluation.{field}' for field in scored))
  assert got.status == 0, got
  flags = (
    '--artifact=r/distilled.npz',
    data,
    '--widths=4',
    '--depths=1,9',
    '--norms=none',
    '--activations=relu,sigmoid',
    '--poolings=none',
    '--output=rank.jsonl',
    '--quiet',
  )
  got = call(*flags, command='rank')
  assert got.status == 0, got
  *lines, head, own, random, seconds = got.out.splitlines()
  assert len(lines) == 4 and head == '2 architectures, against all data:'
  assert sum('left out: ' in line for line in lines) == 2  # too deep
  assert own.startswith('set: Spearman') and random.startswith('random: Spear')
  assert seconds.endswith('its top alone on all data')
  held = [json.loads(x) for x in (tmp_path / 'rank.jsonl').open()]
  first = next(line for line in held if 'error' not in line)
  assert first['protocol'].startswith('dc (2 steps, convnet width=4 depth=1')
  assert {'set', 'random', 'whole', 'seconds'} <= set(first)
  before = (tmp_path / 'rank.jsonl').stat().st_mtime_ns
  again = call(*flags, command='rank')
  assert again.out == got.out  # the seconds too: nothing was run
  assert (tmp_path / 'rank.jsonl').stat().st_mtime_ns == before
  got = call(*flags, '--seed=3', command='rank')
  assert got.status == 2 and 'holds scores of another set or' in got.error


def test_a_set_of_no_run_is_refused(call, tmp_path):
  got = call('--quiet', command='rank')
  assert (
    got.status == 2 and got.error == 'error: --artifact: missing; see --help'
  )


def test_values_that_no_network_has_are_refused_at_once(
  call, small_npz, tmp_path
):
  data = f'--dataset={small_npz()}'
  scored = ('protocol=krr-ntk', 'baselines=', 'others=', 'whole=no')
  made = ('--method=random', '--ipc=1', '--workdir=r', data)
  call(*made, *(f'--config.evaluation.{field}' for field in scored))
  flags = ('--artifact=r/distilled.npz', data, '--quiet')
  for flag, words in (
    ('--norms=foo', "--norms=foo: network.norm='foo': unknown; allowed are"),
    ('--widths=', '--widths: empty; name at least one'),
    ('--widths=x', '--widths=x: '),
  ):
    got = call(*flags, flag, command='rank')
    assert got.status == 2 and words in got.error, got
    assert not got.out


def line(own, random, whole):
  seconds = {'set': 1.0, 'whole': 10.0}
  return {'set': own, 'random': random, 'whole': whole, 'seconds': seconds}


def test_the_summary_counts_what_is_trained_again():
  lines = [line(1, 3, 70.0), line(2, 2, 80.0), line(3, 1, 90.0)]
  found = ranking.summary(lines, top=1)
  assert found['set']['kendall'] == pytest.approx(1)
  assert found['random']['regret'] == 20
  assert found['seconds'] == {'set': 3, 'whole': 30, 'saved': 30 - 3 - 10}
  with pytest.raises(UserError, match='architectures=1'):
    ranking.summary(lines[:1], top=1)


def test_a_sample_of_the_grid_is_the_same_each_time():
  networks = ranking.grid({'width': [4, 8], 'depth': [1, 2, 3]})
  assert len(networks) == 6
  assert networks[1] == {'name': 'convnet', 'width': 4, 'depth': 2}
  some = ranking.drawn(networks, 4, seed=1)
  assert some == ranking.drawn(networks, 4, seed=1) != networks[:4]
  assert [n for n in networks if n in some] == some
  assert ranking.drawn(networks, 0, seed=1) == networks
