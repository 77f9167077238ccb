"""The outer loop: same bits however it is cut, and nothing lost on the way.

Run as a script, this file is a toy run in a process of its own:
`driver_test.py WORKDIR [NUM_STEPS]`.
"""

import functools
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.data import source as sources
from dd_jax.run import driver, input_pipeline
from dd_jax.run.checkpoint import Checkpointer
from dd_jax.run.writers import JsonlWriter
from dd_jax.types import DistilledData, UserError

BATCH = 8


class Toy(NamedTuple):
  """Duck-typed as a `Distiller`."""

  init: Any
  sample: Any
  update: Any
  distilled: Any
  structure: Any = None


class State(NamedTuple):
  image: jax.Array
  velocity: jax.Array
  key: jax.Array  # typed keys must survive a checkpoint
  empty: jax.Array


def toy(batch_size=BATCH, on_update=lambda: None, metrics=lambda t: {}):
  """Moves four images towards noisy batches of real ones."""

  def init(key, source):
    image = source.take(jnp.arange(4)).image
    return State(image, jnp.zeros_like(image), key, jnp.zeros((0, 3)))

  def sample(key, step, source):
    index = jax.random.randint(key, (batch_size,), 0, len(source))
    return source.take((index + step) % len(source))

  def update(key, step, state, batch):
    on_update()
    noise = 0.1 * jax.random.normal(key, batch.image.shape)
    error = state.image.mean(0) - (batch.image + noise).mean(0)
    velocity = 0.9 * state.velocity + error * batch.label.sum(-1).mean()
    image = state.image - 0.01 * velocity
    state = state._replace(
      image=image, velocity=velocity, key=jax.random.fold_in(state.key, step)
    )
    return state, {'loss': jnp.sum(error**2), **metrics(step)}

  def distilled(state):
    return DistilledData(state.image, jnp.eye(4))

  return Toy(init, sample, update, distilled)


def examples(seed=0):
  rng = np.random.default_rng(seed)
  image = rng.normal(size=(50, 5, 5, 1)).astype(np.float32)
  return image, np.arange(50, dtype=np.int32) % 4


def resident():
  return sources.resident(*examples(), 4, None)


def accuracy(key, data):
  """A score that rises and falls."""
  return 0.5 + 0.5 * jnp.sin(40 * data.image.sum() + jax.random.uniform(key))


def validation(every=10):
  return driver.Validation(accuracy, every, 'toy accuracy')


def bits(tree):
  leaves = [
    jax.random.key_data(x)
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    else x
    for x in jax.tree.leaves(tree)
  ]
  return [np.asarray(x).tobytes() for x in leaves]


class Recorder:
  """A writer that remembers, and may act on what it is told."""

  def __init__(self, on_scalars=lambda steps: None):
    self.steps, self.scores, self.messages, self.calls = [], {}, [], 0
    self.begun, self.closed, self.on_scalars = None, False, on_scalars

  def begin(self, step):
    self.begun = step

  def scalars(self, steps, metrics):
    self.calls += 1
    self.steps += steps.tolist()
    assert all(v.shape == steps.shape for v in metrics.values())
    self.on_scalars(steps)

  def validation(self, step, score):
    self.scores[step] = score

  def message(self, text):
    if not text.endswith(' ...'):  # a stage, told where the machine is slow
      self.messages.append(text)

  def close(self):
    self.closed = True


def run(num_steps=60, source=None, method=None, **kwargs):
  return driver.distill(
    method or toy(),
    resident() if source is None else source,
    seed=3,
    num_steps=num_steps,
    **kwargs,
  )


@functools.cache
def reference(num_steps, every=None):
  """A run that nothing disturbs; made once."""
  return run(num_steps, validation=validation(every) if every else None)


def plain_loop(num_steps, method=None):
  """What `distill` computes, one eager step after another."""
  method, source = method or toy(), resident()
  k_init, k_step, _ = jax.random.split(jax.random.key(3), 3)
  state = method.init(k_init, source)
  for t in range(num_steps):
    k_sample, k_update = jax.random.split(jax.random.fold_in(k_step, t))
    batch = method.sample(k_sample, jnp.int32(t), source)
    state, _ = method.update(k_update, jnp.int32(t), state, batch)
  return state


def test_it_is_the_plain_loop():
  result = reference(12)
  expected = plain_loop(12)
  np.testing.assert_allclose(result.state.image, expected.image, atol=1e-6)
  assert bits(result.state.key) == bits(expected.key)


@pytest.mark.parametrize('rows', [1, 7])
def test_every_chunk_length_gives_the_same_bits(rows, monkeypatch):
  whole = reference(40)
  recorder = Recorder()
  monkeypatch.setattr(
    driver._Run, '_boundary', lambda self: min(40, self.step + rows)
  )
  cut = run(40, writers=[recorder])
  assert recorder.calls >= 40 // rows
  assert bits(whole.state) == bits(cut.state)


def test_validations_do_not_change_the_state():
  assert bits(reference(40).state) == bits(reference(40, 3).state)


def test_every_step_is_reported_once():
  recorder = Recorder()
  run(50, writers=[recorder], validation=validation(7))
  assert recorder.steps == list(range(1, 51))
  assert list(recorder.scores) == [7, 14, 21, 28, 35, 42, 49, 50]
  assert recorder.begun == 0 and recorder.closed


def test_nothing_is_traced_after_the_first_call():
  traces = []
  run(1, method=toy(on_update=lambda: traces.append(1)))
  once = len(traces)
  traces.clear()
  run(
    200,
    method=toy(on_update=lambda: traces.append(1)),
    validation=validation(30),
  )
  assert len(traces) == once == 1


def test_best_by_validation_is_returned_and_ties_keep_the_earlier():
  recorder = Recorder()
  result = run(50, writers=[recorder], validation=validation(5))
  best = max(recorder.scores.values())
  assert result.best_score == best
  assert recorder.scores[result.best_step] == best
  assert result.selection == f'best toy accuracy at step {result.best_step}'
  np.testing.assert_array_equal(
    result.data.image, run(result.best_step).data.image
  )
  tied = run(20, validation=driver.Validation(lambda k, d: jnp.float32(0.5), 5))
  assert tied.best_step == 5


def test_without_validation_the_last_is_returned():
  result = reference(12)
  assert result.selection == 'the last state, at step 12 (no validation)'
  assert result.best_score is None
  np.testing.assert_array_equal(result.data.image, result.state.image)


def test_no_steps_give_the_start():
  result = run(0, validation=validation())
  np.testing.assert_array_equal(result.data.image, examples()[0][:4])
  np.testing.assert_array_equal(reference(12).start.image, result.data.image)
  assert result.step == result.best_step == 0


@pytest.mark.parametrize('block_bytes', [1, 5000, 2**20])
def test_host_and_resident_sources_agree(block_bytes, monkeypatch):
  monkeypatch.setattr(input_pipeline, '_BLOCK_BYTES', block_bytes)
  host = sources.HostSource(*examples(), None, 4)
  assert bits(run(30, source=host).state) == bits(reference(30).state)


def test_float64_reaches_the_background_thread():
  image, label = examples()
  image = image.astype(np.float64)
  with jax.enable_x64(True):
    host = run(12, source=sources.HostSource(image, label, None, 4))
    here = run(12, source=sources.resident(image, label, 4, None))
  assert host.state.image.dtype == np.float64
  assert bits(host.state) == bits(here.state)


def test_state_may_share_buffers():
  def init(key, source):
    state = toy().init(key, source)
    return state._replace(velocity=state.image)

  run(5, method=toy()._replace(init=init))


def test_bad_arguments_are_named():
  with pytest.raises(UserError, match='num_steps=-1'):
    run(-1)
  with pytest.raises(UserError, match=r'validation\.every=0'):
    run(1, validation=validation(0))


# Trouble on the way.


def checkpointer(path, **kwargs):
  return Checkpointer(path / 'checkpoints', {'method': 'toy'}, **kwargs)


def interrupt_at(step, signum=signal.SIGINT):
  def act(steps):
    if steps[-1] >= step:
      os.kill(os.getpid(), signum)

  return Recorder(act)


@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_continues_bit_for_bit(tmp_path, signum):
  before = signal.getsignal(signal.SIGINT)
  jsonl = JsonlWriter(tmp_path)
  with pytest.raises(driver.Interrupted) as info:
    run(
      60,
      validation=validation(7),
      checkpointer=checkpointer(tmp_path),
      writers=[jsonl, interrupt_at(20, signum)],
    )
  assert signal.getsignal(signal.SIGINT) is before
  assert info.value.exit_status == 128 + signum
  assert 20 <= info.value.step < 60
  assert checkpointer(tmp_path).latest_step() == info.value.step
  recorder = Recorder()
  resumed = run(
    60,
    validation=validation(7),
    checkpointer=checkpointer(tmp_path),
    writers=[jsonl, recorder],
  )
  assert recorder.begun == info.value.step
  check_same(resumed, reference(60, 7))
  check_rows(tmp_path, 60)


def check_same(a, b):
  parts = [bits((x.state, x.data, x.start)) for x in (a, b)]
  assert parts[0] == parts[1]
  assert isinstance(a.state, State)
  assert (a.best_step, a.best_score, a.selection) == (
    b.best_step,
    b.best_score,
    b.selection,
  )


def check_rows(path, num_steps):
  lines = (path / 'metrics.jsonl').read_text().splitlines()
  steps = [json.loads(line)['step'] for line in lines]
  assert steps == list(range(1, num_steps + 1))


@pytest.mark.parametrize('known', [False, True])
def test_resuming_makes_no_first_state_where_its_structure_is_known(
  tmp_path, known
):
  made = []

  def init(key, source):
    made.append('trained')
    return toy().init(key, source)

  method = toy()._replace(init=init)
  if known:
    method = method._replace(structure=toy().init)
  run(4, method=method, checkpointer=checkpointer(tmp_path))
  last = run(4, method=method, checkpointer=checkpointer(tmp_path))
  assert len(made) == (1 if known else 2)
  check_same(last, reference(4))


def test_a_finished_run_is_not_run_again(tmp_path):
  first = run(20, validation=validation(), checkpointer=checkpointer(tmp_path))
  recorder = Recorder()
  again = run(
    20,
    validation=validation(),
    writers=[recorder],
    checkpointer=checkpointer(tmp_path),
  )
  assert recorder.steps == []
  check_same(first, again)
  assert again.seconds['distil'] == pytest.approx(first.seconds['distil'])


def test_a_signal_during_compilation_is_honoured_at_once(tmp_path, monkeypatch):
  release, compiled = threading.Event(), threading.Event()
  lower = jax.stages.Lowered.compile

  def slow(self, *args, **kwargs):
    if threading.current_thread() is not threading.main_thread():
      release.wait(600)
      compiled.set()
    return lower(self, *args, **kwargs)

  monkeypatch.setattr(jax.stages.Lowered, 'compile', slow)
  timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
  timer.start()
  with pytest.raises(driver.Interrupted) as info:
    run(5, checkpointer=checkpointer(tmp_path))
  assert info.value.step == 0 and not compiled.is_set()
  release.set()
  assert checkpointer(tmp_path).latest_step() == 0


def test_a_signal_during_validation_is_honoured_at_once(tmp_path):
  def slow(key, data):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(20)
    return accuracy(key, data)

  with pytest.raises(driver.Interrupted):
    run(
      15,
      validation=driver.Validation(slow, 10),
      checkpointer=checkpointer(tmp_path),
    )
  resumed = run(
    15, validation=validation(), checkpointer=checkpointer(tmp_path)
  )
  check_same(resumed, reference(15, 10))


def test_signals_are_left_alone_in_other_threads():
  results = []
  thread = threading.Thread(target=lambda: results.append(run(3)))
  thread.start()
  thread.join()
  assert results[0].step == 3


def diverging(at):
  return toy(metrics=lambda t: {'loss': jnp.where(t == at, jnp.nan, 1.0)})


def test_a_nan_loss_stops_the_run(tmp_path):
  with pytest.raises(driver.Diverged, match='at step 31, and there is no chec'):
    run(60, method=diverging(30))
  saving = checkpointer(tmp_path, every_seconds=0)
  jsonl = JsonlWriter(tmp_path)
  with pytest.raises(driver.Diverged, match='lower the learning rate') as info:
    run(60, method=diverging(30), checkpointer=saving, writers=[jsonl])
  assert info.value.step == 31
  assert saving.latest_step() <= 30
  assert f'checkpoint is of step {saving.latest_step()}' in str(info.value)
  check_rows(tmp_path, 30)


def test_a_state_that_is_not_finite_is_never_saved(tmp_path):
  def update(key, step, state, batch):
    state, _ = toy().update(key, step, state, batch)
    bad = jnp.where(step == 6, jnp.nan, 0.0)
    return state._replace(image=state.image + bad), {'loss': jnp.float32(1)}

  saving = checkpointer(tmp_path, every_seconds=0)
  with pytest.raises(driver.Diverged, match='no longer finite after step 7'):
    run(7, method=toy()._replace(update=update), checkpointer=saving)
  assert saving.latest_step() == 3


def test_a_dead_run_is_said_once(tmp_path):
  """A gradient that is exactly zero from step 15 on, seen across chunks."""
  method = toy(metrics=lambda t: {'grad_norm': jnp.where(t < 14, 1.0, 0.0)})
  recorder = Recorder()
  checkpointer = Checkpointer(tmp_path, {})
  result = run(method=method, writers=[recorder], checkpointer=checkpointer)
  (line,) = result.warnings
  assert 'gradient is exactly 0' in line
  assert recorder.messages == [f'warning: {line}'] and result.notes == ()
  again = Checkpointer(tmp_path, {}, resume=True)
  assert run(method=method, checkpointer=again).warnings == (line,)


def test_a_loss_that_never_moves_is_said():
  method = toy(metrics=lambda t: {'loss': jnp.float32(1.0)})
  (line,) = run(method=method).warnings
  assert 'the loss stayed at 1, in all 60 steps' in line
  assert run(num_steps=60).warnings == ()


def test_a_raised_ridge_is_said_once(tmp_path):
  recorder = Recorder()
  method = toy(metrics=lambda t: {'ridge_raised': 1.0 * (t % 5 == 4)})
  result = run(
    30, method=method, writers=[recorder], checkpointer=checkpointer(tmp_path)
  )
  said = [m for m in recorder.messages if 'ridge' in m]
  assert len(said) == 1 and 'first at step 5' in said[0]
  assert list(result.notes) == said


def test_a_checkpoint_beyond_the_end_is_refused(tmp_path):
  run(10, checkpointer=checkpointer(tmp_path))
  with pytest.raises(UserError, match='num_steps=5'):
    run(5, checkpointer=checkpointer(tmp_path))


# Processes of their own.


def child(workdir, *args, **env):
  root = str(pathlib.Path(driver.__file__).parents[2])
  return subprocess.Popen(
    [sys.executable, __file__, str(workdir), *args],
    env={**os.environ, 'JAX_PLATFORMS': 'cpu', 'PYTHONPATH': root, **env},
    stdout=subprocess.PIPE,
    text=True,
  )


def main(workdir, num_steps='1500'):
  """A toy run, checkpointed often; leaves `final.npz`."""
  path = pathlib.Path(workdir)
  path.mkdir(exist_ok=True)
  devices = jax.devices()
  mesh = None
  if len(devices) > 1:
    mesh = jax.make_mesh(
      (len(devices),), ('data',), axis_types=(jax.sharding.AxisType.Auto,)
    )
  recorder = Recorder(lambda steps: time.sleep(0.002))
  result = run(
    int(num_steps),
    validation=validation(25),
    mesh=mesh,
    checkpointer=checkpointer(path, every_seconds=0.02),
    writers=[JsonlWriter(path), recorder],
  )
  np.savez(
    path / 'final.npz',
    image=result.data.image,
    last=result.state.image,
    step=result.best_step,
  )
  print('notes', result.notes)


def final(path):
  return (path / 'final.npz').read_bytes()


@pytest.mark.slow  # `signals_test` kills a whole run
def test_a_killed_run_continues_bit_for_bit(tmp_path):
  whole, killed = tmp_path / 'whole', tmp_path / 'killed'
  reference = child(whole)
  victim = child(killed)
  folder = killed / 'checkpoints'
  deadline = time.monotonic() + 300
  while time.monotonic() < deadline and victim.poll() is None:
    if folder.exists() and any(p.name.isdigit() for p in folder.iterdir()):
      break
    time.sleep(0.01)
  time.sleep(np.random.default_rng().uniform(0, 0.5))
  victim.kill()
  victim.communicate()
  assert not (killed / 'final.npz').exists(), 'killed too late to be a test'
  again = child(killed)
  assert again.wait() == 0 and reference.wait() == 0
  reference.communicate(), again.communicate()
  assert final(whole) == final(killed)
  check_rows(killed, 1500)
  assert (killed / 'validation.jsonl').read_text() == (
    whole / 'validation.jsonl'
  ).read_text()


def test_two_devices_agree_with_one(tmp_path):
  two = child(
    tmp_path / 'two', '1', XLA_FLAGS='--xla_force_host_platform_device_count=2'
  )
  three = child(
    tmp_path / 'three',
    '1',
    XLA_FLAGS='--xla_force_host_platform_device_count=3',
  )
  one = reference(1)
  assert 'notes ()' in two.communicate()[0]
  said = three.communicate()[0]
  assert 'leading size 8 does not divide over 3 devices' in said
  for name in ('two', 'three'):
    with np.load(tmp_path / name / 'final.npz') as arrays:
      np.testing.assert_allclose(arrays['last'], one.state.image, atol=1e-6)


if __name__ == '__main__':
  main(*sys.argv[1:])
