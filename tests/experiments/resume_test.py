"""Runs that go on with what their folder holds, longer or for many seeds."""

import json
import pathlib
import shlex

import jax
import numpy as np
import pytest

from dd_jax.run import driver, recipe, resume, settings

CONSTANT = '--config.optimizer.schedule=constant'
ALONE = ('--workdir=w', '--resume')


def held(folder: str, name: str = 'result.json') -> dict:
  return json.loads(pathlib.Path(folder, name).read_text())


def refused(got, *words: str) -> None:
  assert got.status == 2 and '\n' not in got.error, got
  for word in words:
    assert word in got.error, got.error


def same_set(one: str, two: str) -> bool:
  a, b = (pathlib.Path(d, 'distilled.npz').read_bytes() for d in (one, two))
  return a == b


def test_resume_alone_goes_on_with_what_the_folder_holds(call, tiny):
  assert call('--workdir=w', *tiny).status == 0
  before = held('w')
  pathlib.Path('w/result.json').unlink()
  got = call(*ALONE)
  assert got.status == 0, got
  after = held('w')
  assert after['config'] == before['config']
  assert after['test_accuracy'] == before['test_accuracy']
  words = shlex.split(after['command'])
  assert call('--workdir=again', *words[2:]).status == 0
  assert same_set('w', 'again')


def test_resume_alone_needs_a_run_and_its_data(call, tiny, small_npz):
  refused(call(*ALONE), '--resume: there is no run in w')
  assert not pathlib.Path('w').exists()
  path = pathlib.Path(small_npz())
  assert call('--workdir=w', f'--dataset={path}', *tiny).status == 0
  pathlib.Path('w/result.json').unlink()
  path.rename('moved.npz')
  refused(call(*ALONE), '--dataset: missing', 'was started from', 'small.npz')
  refused(call(*ALONE, '--dataset=digits'), 'another run', 'small')
  refused(call(*ALONE, '--method=dm'), '--method=dm', 'is of kip')
  assert 'moved' in call(*ALONE, '--dataset=moved.npz').error


def test_a_longer_run_is_one_that_was_so_long_from_its_start(call, tiny):
  assert call('--workdir=w', *tiny, CONSTANT).status == 0
  got = call(*ALONE, '--num_steps=12')
  assert got.status == 0, got
  assert call('--workdir=whole', *tiny, CONSTANT, '--num_steps=12').status == 0
  assert same_set('w', 'whole')
  assert (
    held('w')['steps'] == held('w', 'run.json')['config']['num_steps'] == 12
  )
  refused(call(*ALONE, '--num_steps=6'), 'num_steps was 12, now 6')
  assert call(*ALONE).status == 0  # done: nothing is distilled again
  assert held('w')['steps'] == 12


def test_a_longer_run_that_was_cut_goes_on_from_the_shorter(call, tiny):
  assert call('--workdir=w', *tiny, CONSTANT).status == 0
  about = pathlib.Path('w/run.json')
  longer = json.loads(about.read_text())
  longer['config']['num_steps'] = 12
  about.write_text(json.dumps(longer))
  pathlib.Path('w/result.json').unlink()
  got = call(*ALONE)
  assert got.status == 0 and 'starting anew' not in got.out, got
  assert held('w')['steps'] == 12


def test_out_of_memory_keeps_the_last_checkpoint(call, tiny, monkeypatch):
  assert call('--workdir=w', *tiny).status == 0
  pathlib.Path('w/result.json').unlink()

  def exhausted(*unused, **also_unused):
    raise jax.errors.JaxRuntimeError('RESOURCE_EXHAUSTED: 9 bytes')

  monkeypatch.setattr(driver, 'distill', exhausted)
  got = call(*ALONE)
  refused(
    got, 'out of memory', '--config.method.batch_size=50', 'step 6 is kept'
  )
  assert pathlib.Path('w/checkpoints/6').is_dir()


def test_a_schedule_that_ends_with_the_run_is_not_lengthened(call, tiny):
  cosine = '--config.optimizer.schedule=cosine'
  assert call('--workdir=w', *tiny, cosine).status == 0
  before = held('w')
  got = call(*ALONE, '--num_steps=12')
  refused(got, '--num_steps=12', "optimizer.schedule='cosine'", 'constant')
  assert held('w') == before


def test_several_seeds_have_a_folder_each_and_a_summary(call, tiny):
  got = call('--workdir=w', '--seed=0,3', *tiny, '--quiet')
  assert got.status == 0 and not got.error, got
  found = held('w', 'summary.json')
  assert found['seeds'] == [0, 3] and found['folders'] == ['seed_0', 'seed_3']
  results = [held(f'w/{folder}') for folder in found['folders']]
  assert [result['seed'] for result in results] == [0, 3]
  values = [result['test_accuracy']['mean'] for result in results]
  score = found['test_accuracy']
  assert score['values'] == values
  assert score['mean'] == pytest.approx(np.mean(values))
  assert score['std'] == pytest.approx(np.std(values, ddof=1))
  assert f'{score["mean"]:.2f} % ± {score["std"]:.2f}' in got.out
  assert '--seed=3' in results[1]['command']
  again = call('--workdir=w', '--seed=0,3', '--resume')
  assert again.status == 0 and held('w', 'summary.json') == found
  refused(call('--workdir=w/seed_0', '--seed=1,2', *tiny), 'holds one run')


@pytest.mark.parametrize('flag', ['a', '0,', '1,1', '1.5'])
def test_wrong_seeds(call, flag):
  refused(call('--workdir=w', f'--seed={flag}'), f'--seed={flag}')
  assert not pathlib.Path('w').exists()


@pytest.mark.parametrize(
  'changes',
  [
    {'method': {'name': 'kip'}, 'kernel': {'name': 'conv'}},
    {'method': {'name': 'kip'}, 'evaluation': {'others': ()}, 'ipc': 3},
    {'method': {'name': 'dm'}, 'dataset': 'mnist', 'network': {'name': 'mlp'}},
  ],
)
def test_the_command_of_a_configuration_gives_it_back(changes):
  method = changes['method']['name']
  config = recipe.update(recipe.default(method), changes)
  words = shlex.split(resume.command(config))
  assert words[:2] == ['dd-jax', 'distill']
  others, fields = settings.split(words[2:])
  named = dict(word[2:].split('=', 1) for word in others)
  named |= {k: int(named[k]) for k in ('ipc', 'seed', 'num_steps')}
  assert settings.configuration(None, named, fields) == config
