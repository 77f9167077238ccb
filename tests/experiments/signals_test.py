"""Runs that are stopped, whenever it is, and continued."""

import json
import signal
import time

import pytest

NUM_STEPS = 1500
FLAGS = (
  f'--num_steps={NUM_STEPS}',
  '--ipc=2',
  '--config.evaluation.others=',
  '--config.evaluation.whole=no',
  '--config.evaluation.baselines=random,kmeans',
)


def steps(folder) -> list[int]:
  """What `metrics.jsonl` holds by now; a torn last line aside."""
  path = folder / 'metrics.jsonl'
  lines = path.read_text().split('\n')[:-1] if path.exists() else []
  return [json.loads(line)['step'] for line in lines]


def wait_for_step(process, folder, step: int) -> None:
  deadline = time.monotonic() + 300  # a busy machine takes its time
  while time.monotonic() < deadline:
    if len(steps(folder)) >= step:
      return
    assert process.poll() is None, process.communicate()
    time.sleep(0.02)
  pytest.fail(f'step {step} never came')


ANSWER = 'stopping after this step; again to stop now\n'


def stop(process, signum) -> tuple[int, str]:
  """Exit status and stderr of a process that is told to stop.

  Without the answer that a busy machine has time for.
  """
  process.send_signal(signum)
  _, error = process.communicate(timeout=300)
  assert 'Traceback' not in error
  return process.returncode, error.replace(ANSWER, '')


def finish(process) -> str:
  out, error = process.communicate(timeout=600)
  assert process.returncode == 0, error
  return out + error


def test_stopped_and_killed_runs_give_the_bytes_of_one_that_was_not(
  start, tmp_path
):
  finish(start('distill', '--workdir=whole', *FLAGS))
  folder = tmp_path / 'torn'
  run = ('distill', '--workdir=torn', '--resume', *FLAGS)

  process = start(*run)
  wait_for_step(process, folder, 100)
  status, error = stop(process, signal.SIGTERM)
  assert status == 143
  last = error.splitlines()[-1]
  reached = max(steps(folder))
  assert reached < NUM_STEPS  # it stopped, rather than ran to its end
  assert last == f'SIGTERM after step {reached}; --resume continues'
  assert (folder / 'checkpoints' / str(reached)).is_dir()

  process = start(*run)
  wait_for_step(process, folder, reached + 50)
  stop(process, signal.SIGKILL)

  finish(start(*run))
  assert steps(folder) == list(range(1, NUM_STEPS + 1))
  for name in ('distilled.npz', 'validation.jsonl'):
    whole = (tmp_path / 'whole' / name).read_bytes()
    assert (folder / name).read_bytes() == whole


@pytest.mark.slow
def test_a_signal_while_scoring_costs_no_distilling(start, tmp_path):
  process = start('distill', '--workdir=w', *FLAGS)
  lines = iter(process.stderr.readline, '')
  assert any('scoring on the test set' in line for line in lines)
  status, error = stop(process, signal.SIGINT)
  assert status == 130
  last = error.splitlines()[-1]
  assert last == f'SIGINT after step {NUM_STEPS}; --resume continues'
  before = (tmp_path / 'w/distilled.npz').read_bytes()
  printed = finish(start('distill', '--workdir=w', '--resume', *FLAGS))
  assert '  loss ' not in printed and 'test accuracy' in printed
  assert (tmp_path / 'w/distilled.npz').read_bytes() == before


def test_a_signal_before_the_first_step(start, tmp_path):
  process = start('distill', '--workdir=w', *FLAGS)
  while not (tmp_path / 'w/run.json').exists():
    assert process.poll() is None
    time.sleep(0.01)
  status, error = stop(process, signal.SIGINT)
  assert status == 130 and error.splitlines()[-1].startswith('SIGINT')
