"""The command that sets runs side by side."""

import json


def test_runs_and_scores_in_one_table(call, small_npz, tiny, tmp_path):
  data = f'--dataset={small_npz()}'
  for name, seed in (('v', 0), ('w', 1)):
    got = call(f'--workdir={name}', f'--seed={seed}', data, *tiny)
    assert got.status == 0, got
  flags = ('--artifact=w/distilled.npz', data, '--output=s.json')
  assert call(*flags, command='evaluate').status == 0
  audit = json.loads((tmp_path / 's.json').read_text())
  own = json.loads((tmp_path / 'w/result.json').read_text())
  assert audit['test_accuracy'] == own['test_accuracy']
  assert audit['data']['sha256'] == own['data']['sha256']
  for field in ('artifact', 'config', 'seed', 'machine', 'versions', 'seconds'):
    assert audit[field] or field == 'seed'
  assert len(audit['artifact']['sha256']) == 64
  runs = ('v', 'w/', 's.json', 'v/distilled.npz')
  got = call(*runs, '--output=all.html', command='compare')
  assert got.status == 0, got
  assert 'leads' in got.out and 's.json' in got.out
  assert got.out.splitlines()[4].split()[0] == 'v/distilled.npz'
  assert (tmp_path / 'all.html').read_text().startswith('<!doctype html>')


def test_what_cannot_be_compared(call, tmp_path):
  (tmp_path / 'empty').mkdir()
  (tmp_path / 'odd.json').write_text('{"a": 1}')
  for arguments, words in (
    ([], 'RUN: missing'),
    (['empty'], 'empty: no result.json there'),
    (['none'], 'none: no result.json there'),
    (['odd.json'], 'odd.json: not what a run'),
    (['odd.json', '--output=x.txt'], '--output=x.txt: must end in one of .ht'),
  ):
    got = call(*arguments, command='compare')
    assert got.status == 2 and words in got.error and '\n' not in got.error
