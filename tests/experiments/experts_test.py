"""The command that trains experts, and a distillation that reads them."""

import json

SMALL = (
  '--config.network.width=4',
  '--config.network.depth=1',
  '--config.preprocessing=standardise',
  '--config.augment=none',
  '--config.experts.augment=none',
  '--config.experts.count=2',
  '--config.experts.batch_size=16',
)


def test_trains_and_goes_on(call, small_npz, tmp_path):
  data = f'--dataset={small_npz()}'
  train = (data, '--store=store', *SMALL)
  status, error, out = call(*train, command='experts')
  assert status == 0, error
  assert out.startswith('2 experts of 3 epochs in store: validation accuracy')
  assert 'experts ' in error
  file = tmp_path / 'store' / 'expert_00001.npy'
  content = file.read_bytes()
  manifest = tmp_path / 'store' / 'manifest.json'
  held = json.loads(manifest.read_text())
  manifest.write_text(json.dumps({**held, 'experts': held['experts'][:1]}))
  file.unlink()
  status, error, _ = call(*train, '--quiet', command='experts')
  assert (status, error) == (0, '')
  assert file.read_bytes() == content
  got = call(
    data,
    '--method=mtt',
    '--ipc=1',
    '--num_steps=1',
    '--workdir=w',
    '--config.experts.store=store',
    '--config.method.inner_steps=2',
    '--config.validate_every=0',
    '--config.evaluation.baselines=',
    '--config.evaluation.others=',
    '--config.evaluation.protocol=krr-ntk',
    *SMALL,
  )
  assert got.status == 0, got
  assert json.loads((tmp_path / 'w/result.json').read_text())['experts']


def test_mistakes_are_one_line(call, small_npz):
  data = f'--dataset={small_npz()}'
  cases = [
    ((data,), '--store: missing'),
    ((data, '--store=s', '--method=kip'), '--method=kip: reads no experts'),
  ]
  for arguments, words in cases:
    status, error, _ = call(*arguments, command='experts')
    assert status == 2 and words in error, error
    assert '\n' not in error
