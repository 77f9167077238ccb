"""A run whose length is found: what is found repeats, and is said."""

import json
import shlex

import numpy as np
import pytest

from dd_jax import artifact
from dd_jax.run import plan, probe, recipe
from dd_jax.run.costs import Learner


@pytest.fixture
def slow(monkeypatch):
  """Every outer step takes a second here, a learner ten; all else nothing."""
  monkeypatch.setattr(
    plan.probe, 'loop', lambda *rest: probe.Loop(0.0, 1.0, 5 << 20)
  )
  monkeypatch.setattr(
    plan.probe, 'learner', lambda *rest: Learner(10.0, 0.0, 0)
  )


FLAGS = ('--ipc=1', '--config.method.batch_size=20', '--workdir=run')


def test_what_is_found_is_the_configuration_and_repeats(
  call, small_npz, slow, tmp_path
):
  data = small_npz()
  asked = (f'--dataset={data}', *FLAGS, '--minutes=2')
  status, error, _ = call(*asked)
  assert status == 0, error
  result = json.loads((tmp_path / 'run/result.json').read_text())
  config, found = result['config'], result['plan']
  # A minute of a hundred and twenty seconds' room is the scoring's.
  assert 40 <= config['num_steps'] == result['steps'] < 120
  assert config['evaluation']['learners'] == 2 and 'minutes' not in config
  assert found['minutes'] == 2 and found['total'] <= 120
  assert f'num_steps={config["num_steps"]}' in error
  assert 'evaluation.learners=2' in error and 'the loop holds 5 MiB' in error
  command = shlex.split(result['command'])[2:]
  assert not [flag for flag in command if 'minutes' in flag]
  status, error, _ = call(*command, '--workdir=again')
  assert status == 0 and 'estimate' not in error
  first, second = (
    artifact.load(f'{d}/distilled.npz') for d in ('run', 'again')
  )
  np.testing.assert_array_equal(first.data.image, second.data.image)
  assert first.metadata['config'] == second.metadata['config']
  status, error, _ = call(*asked, '--resume')
  assert status == 0, error


def test_an_estimate_runs_and_writes_nothing(call, small_npz, slow, tmp_path):
  data = small_npz()
  before = {*tmp_path.rglob('*')}
  status, _, out = call(f'--dataset={data}', *FLAGS, '--estimate')
  assert status == 0 and 'estimate: ' in out and 'num_steps=' in out
  status, _, out = call(
    f'--dataset={data}', *FLAGS, '--estimate', '--num_steps=70'
  )
  assert status == 0 and '70 steps of 1 s 1:10' in out
  assert 'num_steps=' not in out
  made = {*tmp_path.rglob('*')} - before
  assert {path.name for path in made} <= {'cache'}


def test_too_little_time_is_said(call, small_npz, slow):
  data = small_npz()
  told = call(f'--dataset={data}', *FLAGS, '--minutes=0.1', '--estimate').out
  assert f'num_steps={plan.LEAST_STEPS}' in told
  assert 'minutes=0.1: measuring, scoring and 20 steps take longer' in told


def test_time_is_checked_as_a_number(call):
  for wrong in ('-1', 'nan', 'inf'):
    status, error, _ = call(f'--minutes={wrong}')
    assert status == 2 and '--minutes' in error, error


def test_several_seeds_have_what_the_first_found(call, small_npz, slow):
  data = small_npz()
  flags = (f'--dataset={data}', '--ipc=1', '--config.method.batch_size=20')
  status, error, _ = call(*flags, '--seed=0,1', '--minutes=1', '--workdir=two')
  assert status == 0, error
  assert error.count('estimate: ') == 1
  held = [
    json.loads(open(f'two/seed_{seed}/run.json').read())['config']
    for seed in (0, 1)
  ]
  assert {**held[0], 'seed': 1} == held[1]


def test_a_change_is_told_as_flags_that_make_it():
  asked = recipe.default('dm')
  made = recipe.copied(asked)
  recipe.update(
    made,
    {
      'num_steps': 7,
      'minutes': 0.0,
      'evaluation': {
        'baselines': ('random',),
        'network': {'name': 'convnet', 'width': 32},
      },
    },
  )
  found = plan.differing(asked, made)
  assert found == {
    'evaluation.network.name': 'convnet',
    'evaluation.network.width': '32',
    'evaluation.baselines': 'random',
    'num_steps': '7',
  }
