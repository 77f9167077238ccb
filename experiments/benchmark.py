r"""Measures speed and accuracy, and prints each figure beside its yardstick.

  python -m experiments.benchmark --cases=frepo-10,evaluate --cores=1
  python -m experiments.benchmark --cases=speed --output=speed.json
  python -m experiments.benchmark --cases= --runs=mnist:kip:1,mnist:frepo:1 \
      --cores=0 --data=mnist=mnist.npz

Speeds are useful operations a second (see `experiments.flops`), medians of
repeats after a warm-up. The yardstick is NumPy's 2048-cubed float32 matrix
product on one thread, best of five, in the same process, before and after.
"""

import functools
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import flags
from jax.flatten_util import ravel_pytree
from threadpoolctl import threadpool_limits

from dd_jax.checks import check_name
from dd_jax.data.source import ResidentSource, resident
from dd_jax.distiller import Distiller
from dd_jax.evaluation.protocols import Protocol, Setting, protocol
from dd_jax.experts import ResidentExperts, with_experts
from dd_jax.files import write_json
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import NETWORKS
from dd_jax.run import command_line, parts, pipeline, recipe, settings
from dd_jax.run.driver import distill
from dd_jax.training import (
  epochs,
  fresh_model,
  train,
  train_many,
  train_step,
)
from dd_jax.types import DistilledData, PyTree, UserError
from experiments import (
  configs,
  exactness,
  flops,
  kernel_speed,
  unrolling,
)

_CASES = flags.DEFINE_list(
  'cases', ['speed'], 'Names, or speed, kernels, unroll; see --list.'
)
_LIST = flags.DEFINE_bool('list', False, 'Lists the cases.')
_CORES = flags.DEFINE_integer('cores', 1, 'CPU cores to run on; 0 for all.')
_HOST_DEVICES = flags.DEFINE_integer(
  'host_devices', 1, 'Devices that the CPU shows as; batches are split.'
)
_RUNS = flags.DEFINE_list(
  'runs', [], 'Whole runs to score, as SET:METHOD:IPC, by their recipes.'
)
_DATA = flags.DEFINE_list(
  'data', [], 'SET=FILE: where a set of --runs lies, if not found by name.'
)
_REPEATS = flags.DEFINE_integer('repeats', 5, 'Timed repeats of each case.')
_OUTPUT = flags.DEFINE_string('output', None, 'Also write the rows as JSON.')

_SHAPE, _CLASSES, _REAL = (32, 32, 3), 10, 5000
_TARGETS = 1024
_YARDSTICK = 2048

Row = dict[str, Any]


def benchmark(fields: dict[str, str]) -> None:
  """Runs what the flags name; `fields` change every run's recipe."""
  if _LIST.value:
    print('\n'.join(_ALL))
    return
  cases = [c for c in _CASES.value if c]
  names = [n for c in cases for n in _GROUPS.get(c, [c])]
  for name in names:
    check_name('--cases', name, _ALL)
  _place(_CORES.value, _HOST_DEVICES.value)
  rows = [_measured(name, _ALL[name]) for name in names]
  rows += [
    _measured(name, functools.partial(_run, name, fields))
    for name in _RUNS.value
  ]
  if _OUTPUT.value:
    write_json(_OUTPUT.value, {'versions': pipeline.versions(), 'rows': rows})


def _place(cores: int, host_devices: int) -> None:
  """Pins this process to some cores, by starting it anew on them.

  Threads that a library has started keep the cores that they were born with.
  """
  if cores and hasattr(os, 'sched_setaffinity'):
    present = sorted(os.sched_getaffinity(0))
    if len(present) > cores:
      os.sched_setaffinity(0, present[-cores:])
      arguments = ['-m', 'experiments.benchmark', *sys.argv[1:]]
      os.execv(sys.executable, [sys.executable, *arguments])
    if len(present) < cores:
      raise UserError(f'--cores={cores}: allowed are 1 to {len(present)}')
  if host_devices > 1:
    jax.config.update('jax_num_cpu_devices', host_devices)


def _run(name: str, fields: dict[str, str]) -> Row:
  """A whole run by its recipe; its scores and its times."""
  try:
    dataset, method, ipc = name.split(':')
    named = {'dataset': dataset, 'method': method, 'ipc': int(ipc)}
  except ValueError:
    raise UserError(f'--runs={name}: must be SET:METHOD:IPC') from None
  config = settings.configuration(configs.FOLDER, None, named, fields)
  where = dict(x.split('=', 1) for x in _DATA.value)
  config['dataset'] = where.get(dataset, dataset)
  result = pipeline.run(config, command=f'--runs={name}').result
  kept = ('protocol', 'test_accuracy', 'baselines', 'other_scores', 'steps')
  return {k: result[k] for k in (*kept, 'seconds', 'peak_memory_bytes')}


def _measured(name: str, case: Callable[[], Row]) -> Row:
  before = yardstick()
  row: Row = {'case': name, 'device': jax.devices()[0].device_kind}
  row |= {'cores': _CORES.value, 'host_devices': _HOST_DEVICES.value}
  row |= case()
  row['yardstick_gflops'] = round(max(before, yardstick()), 1)
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  row['peak_mib_so_far'] = round(peak / 2**10)  # of all cases up to this one
  if 'gflops' in row:
    row['share_of_yardstick'] = round(
      row['gflops'] / row['yardstick_gflops'], 3
    )
  print(', '.join(f'{k} {v}' for k, v in row.items()), flush=True)
  return row


def yardstick() -> float:
  """GFLOP/s of NumPy's matrix product on one thread, best of five."""
  x = np.random.default_rng(0).normal(size=(_YARDSTICK,) * 2)
  x = x.astype(np.float32)
  with threadpool_limits(1):
    return 2 * _YARDSTICK**3 / min(_timed(lambda: x @ x, 5)) / 1e9


def _timed(call: Callable[[], Any], repeats: int) -> list[float]:
  seconds = []
  for _ in range(repeats):
    start = time.perf_counter()
    jax.block_until_ready(call())
    seconds.append(time.perf_counter() - start)
  return seconds


def _speed(call: Callable[[], Any], work: float, steps: int = 1) -> Row:
  """Times `call`, which does `steps` times `work` GFLOP."""
  compile_seconds = _timed(call, 1)[0]
  seconds = [s / steps for s in _timed(call, _REPEATS.value)]
  median = statistics.median(seconds)
  return {
    'seconds': round(median, 5),
    'fastest': round(min(seconds), 5),
    'slowest': round(max(seconds), 5),
    'gflop': round(work, 1),
    'gflops': round(work / median, 1),
    'first_call_seconds': round(compile_seconds, 1),
  }


def _source(
  shape: tuple[int, ...] = _SHAPE, size: int = _REAL
) -> ResidentSource:
  rng = np.random.default_rng(0)
  image = rng.normal(size=(size, *shape)).astype(np.float32)
  return resident(image, np.arange(size) % _CLASSES, _CLASSES, None)


def _frepo(ipc: int, network: PyTree, shape: tuple[int, int, int]) -> Distiller:
  config = recipe.default('frepo')
  recipe.update(
    config, {'ipc': ipc, 'network': network, 'method': {'flip': True}}
  )
  return parts.build(config, parts.Setting(shape, _CLASSES))


def _outer_steps(method: Distiller, source: PyTree, steps: int) -> Any:
  """A call of `steps` outer steps in one compiled loop."""
  key = jax.random.key(0)
  mesh = command_line.mesh(_HOST_DEVICES.value)
  place = lambda tree: tree
  split = place
  if mesh is not None:
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec('data'))
    place = lambda tree: jax.device_put(tree, everywhere)
    split = lambda tree: jax.lax.with_sharding_constraint(tree, rows)

  @jax.jit
  def run(state: PyTree, source: PyTree) -> PyTree:
    def body(i: jax.Array, state: PyTree) -> PyTree:
      k_sample, k_update = jax.random.split(jax.random.fold_in(key, i))
      batch = split(method.sample(k_sample, i, source))
      return method.update(k_update, i, state, batch)[0]

    return jax.lax.fori_loop(0, steps, body, state)

  state, source = place((method.init(key, source), source))
  jax.block_until_ready(state)  # a pool may be in training still
  return lambda: run(state, source)


def _frepo_case(ipc: int, wide: bool) -> Callable[[], Row]:
  def case() -> Row:
    name, norm = ('frepo_convnet', 'batch') if wide else ('convnet', 'instance')
    widths = (128, 256, 512) if wide else (128,) * 3
    network = {'name': name, 'norm': norm, 'width': 128}
    layers = flops.convnet(32, 3, widths, _CLASSES)
    work = flops.frepo_step(
      layers, _TARGETS, _CLASSES * ipc, flip=True, dimension=widths[-1] * 16
    )
    steps = 2
    call = _outer_steps(_frepo(ipc, network, _SHAPE), _source(), steps)
    return _speed(call, work, steps)

  return case


def _gradient_matching_case(method: str, ipc: int) -> Callable[[], Row]:
  """A matching step, without the training that may follow it."""

  def case() -> Row:
    config = recipe.default(method)
    changes = {'ipc': ipc, 'network': {'width': 128}}
    made = parts.build(
      recipe.update(config, changes), parts.Setting(_SHAPE, _CLASSES)
    )
    layers = flops.convnet(32, 3, (128,) * 3, _CLASSES)
    real = _CLASSES * config['method']['batch_size']
    work = flops.gradient_matching_step(layers, real, _CLASSES * ipc)
    return _speed(_matching_steps(made), work)

  return case


def _matching_steps(method: Distiller) -> Callable[[], Any]:
  """A call of one outer step without the training that may follow it."""
  key, step, source = jax.random.key(0), jnp.int32(0), _source()

  @jax.jit
  def run(state: PyTree, source: ResidentSource) -> PyTree:
    batch = method.sample(key, step, source)
    return method.update(key, step, state, batch)[0].params

  state = method.init(key, source)
  last = jax.tree.map(lambda a: jnp.full_like(a, 10**6), state.models.age)
  state = state._replace(models=state.models._replace(age=last))
  return lambda: run(state, source)


def _dm_case(ipc: int) -> Callable[[], Row]:
  """Augmented, the published batch; a new network each step."""

  def case() -> Row:
    config = recipe.update(recipe.default('dm'), {'ipc': ipc})
    method = parts.build(config, parts.Setting(_SHAPE, _CLASSES))
    layers = flops.convnet(32, 3, (128,) * 3, _CLASSES)
    real = _CLASSES * config['method']['batch_size']
    work = flops.embedding_match(layers, real, _CLASSES * ipc)
    return _speed(_outer_steps(method, _source(), 1), work)

  return case


def _rfad_case() -> Row:
  """As published, with a quarter of its targets."""
  config = recipe.update(
    recipe.default('rfad'),
    {'ipc': 1, 'method': {'batch_size': 1280, 'transform_rate': 5e-5}},
  )
  method = parts.build(config, parts.Setting(_SHAPE, _CLASSES))
  layers = flops.convnet(32, 3, (256,) * 3, _CLASSES)
  work = flops.rfad_step(
    layers, 8, 1280, _CLASSES, dimension=4096, pixels=32 * 32 * 3
  )
  return _speed(_outer_steps(method, _source(), 1), work)


def _dc(learners: int) -> tuple[Protocol, jax.Array, DistilledData]:
  setting = Setting('random', _SHAPE, _CLASSES)
  setting = setting._replace(mesh=command_line.mesh(_HOST_DEVICES.value))
  chosen = protocol('dc', setting)
  image = jax.random.normal(jax.random.key(1), (_CLASSES, *_SHAPE))
  keys = jax.random.split(jax.random.key(0), learners)
  return chosen, keys, DistilledData(image, jnp.eye(_CLASSES))


def _evaluate_case() -> Row:
  chosen, keys, data = _dc(1)
  test = _source(size=10_000)
  layers = flops.convnet(32, 3, (128,) * 3, _CLASSES)
  work = flops.evaluation(layers, _CLASSES, 301, 10_000)
  return _speed(lambda: chosen.score(keys, data, test), work)


def _five_case() -> Row:
  """Five learners together against one alone."""
  test, times = _source(size=1000), []
  for count in (1, 5):
    chosen, keys, data = _dc(count)
    call = lambda p=chosen, k=keys, d=data: p.score(k, d, test)
    call()
    times.append(statistics.median(_timed(call, _REPEATS.value)))
  one, five = times
  return {
    'one_seconds': round(one, 3),
    'five_seconds': round(five, 3),
    'five_over_five_alone': round(five / (5 * one), 3),
  }


def _trajectory_case(inner_steps: int) -> Callable[[], Row]:
  """Augmented, as published; experts of random numbers."""

  def case() -> Row:
    config = recipe.default('mtt')
    recipe.update(config, {'ipc': 1, 'method': {'inner_steps': inner_steps}})
    method = parts.build(config, parts.Setting(_SHAPE, _CLASSES))
    layers = flops.convnet(32, 3, (128,) * 3, _CLASSES)
    work = flops.trajectory_matching_step(layers, _CLASSES, inner_steps)
    init = NETWORKS['convnet'](_SHAPE, _CLASSES).init
    flat = lambda i: ravel_pytree(init(jax.random.key(i))['params'])[0]
    params = jnp.stack([flat(i) for i in range(4)])[None]
    experts = ResidentExperts(params, jnp.arange(4))
    return _speed(
      _outer_steps(method, with_experts(_source(), experts), 1), work
    )

  return case


def _bptt_case() -> Row:
  """RTP's work without its addressing: 50 steps, 640 real images."""
  layers = flops.convnet(32, 3, (128,) * 3, _CLASSES)
  work = flops.unrolled_step(layers, _CLASSES, 640, 50, recomputed=True)
  return _unrolled('bptt', 1, {'inner_steps': 50, 'batch_size': 640}, work)


def _window_case(ipc: int, real: int) -> Callable[[], Row]:
  """RaT-BPTT's default window, 20 of 35 steps, at its mean place."""

  def case() -> Row:
    layers = flops.convnet(32, 3, (128,) * 3, _CLASSES)
    work = flops.unrolled_step(layers, _CLASSES * ipc, real, 20, before=15)
    sizes = {'inner_steps': 35, 'window': 20, 'batch_size': real}
    changes = {'placement': 'end', 'plan': 'products', **sizes}
    return _unrolled('rat_bptt', ipc, changes, work)

  return case


def _unrolled(method: str, ipc: int, changes: Row, work: float) -> Row:
  """A method that goes through training, on images as they come."""
  config = recipe.default(method)
  common = {'preprocessing': 'standardise', 'augment': 'none'}
  recipe.update(config, {'ipc': ipc, 'method': changes, **common})
  made = parts.build(config, parts.Setting(_SHAPE, _CLASSES))
  return _speed(_outer_steps(made, _source(), 1), work)


def _ten_experts_case() -> Row:
  """Ten experts trained together against one alone."""
  network, optimizer = NETWORKS['convnet'](_SHAPE, _CLASSES), optax.sgd(0.01)
  source = _source(size=256)
  step = functools.partial(train_step, network, optimizer, soft_cross_entropy)

  def one(key: jax.Array, source: ResidentSource) -> PyTree:
    data, _ = epochs(key, source.take(jnp.arange(256)), 32)
    return train(step, fresh_model(network, optimizer, key), data, 4)

  @jax.jit
  def many(keys: jax.Array, source: ResidentSource) -> PyTree:
    return train_many(lambda k: one(k, source), keys, network.runs_on)

  times = []
  for count in (1, 10):
    keys = jax.random.split(jax.random.key(0), count)
    call = functools.partial(many, keys, source)
    jax.block_until_ready(call())
    times.append(statistics.median(_timed(call, _REPEATS.value)))
  alone, together = times
  return {
    'one_seconds': round(alone, 3),
    'ten_seconds': round(together, 3),
    'ten_over_ten_alone': round(together / (10 * alone), 3),
  }


def _exactness_case() -> Row:
  rows = exactness.measure(50)
  return {
    k: float(f'{v:.3g}' if 'unlike' in k else f'{v:.7f}')
    for k, v in rows.items()
  }


def _dispatch_case() -> Row:
  """The driver's loop against one call a step, where dispatch dominates."""
  shape, steps = (8, 8, 1), 2000
  network = {'name': 'convnet', 'norm': 'instance', 'width': 8}
  config = recipe.update(
    recipe.default('frepo'),
    {'ipc': 1, 'network': network, 'method': {'batch_size': 16}},
  )
  method = parts.build(config, parts.Setting(shape, _CLASSES))
  source = _source(shape, 1000)
  looped = distill(method, source, seed=0, num_steps=steps)
  return {
    'loop_steps_per_second': round(steps / looped.seconds['distil']),
    **_one_call_a_step(method, source, 300),
    **_own_loop(method, source, 200),
  }


def _one_call_a_step(
  method: Distiller, source: ResidentSource, steps: int
) -> Row:
  key = jax.random.key(0)

  @jax.jit
  def one(state: PyTree, i: jax.Array, source: ResidentSource) -> PyTree:
    k_sample, k_update = jax.random.split(jax.random.fold_in(key, i))
    batch = method.sample(k_sample, i, source)
    return method.update(k_update, i, state, batch)

  state, _ = one(method.init(key, source), jnp.int32(0), source)
  start = time.perf_counter()
  for i in range(steps):
    state, metrics = one(state, jnp.int32(i), source)
    float(metrics['loss'])  # what a loop that logs every step waits for
  rate = steps / (time.perf_counter() - start)
  return {'call_steps_per_second': round(rate)}


def _own_loop(method: Distiller, source: ResidentSource, steps: int) -> Row:
  """The loop that the README shows: sampled outside, one call an update."""
  key, update = jax.random.key(0), jax.jit(method.update)
  state, start = method.init(key, source), 0.0
  for t in range(steps + 1):
    k_sample, k_update = jax.random.split(jax.random.fold_in(key, t))
    batch = method.sample(k_sample, jnp.int32(t), source)
    state, metrics = update(k_update, jnp.int32(t), state, batch)
    float(metrics['loss'])
    start = start or time.perf_counter()  # after the first, which compiles
  rate = steps / (time.perf_counter() - start)
  return {'own_loop_steps_per_second': round(rate)}


_ALL: dict[str, Callable[[], Row]] = {
  'frepo-1': _frepo_case(1, wide=False),
  'frepo-10': _frepo_case(10, wide=False),
  'frepo-wide-1': _frepo_case(1, wide=True),
  'frepo-wide-10': _frepo_case(10, wide=True),
  'dc-1': _gradient_matching_case('dc', 1),
  'dc-10': _gradient_matching_case('dc', 10),
  'dsa-1': _gradient_matching_case('dsa', 1),
  'dsa-10': _gradient_matching_case('dsa', 10),
  'dm-1': _dm_case(1),
  'dm-10': _dm_case(10),
  'rfad': _rfad_case,
  'mtt-10': _trajectory_case(10),
  'mtt-50': _trajectory_case(50),
  'bptt-50': _bptt_case,
  'rat-bptt-1': _window_case(1, 200),
  'rat-bptt-10': _window_case(10, 1000),
  'ten-experts': _ten_experts_case,
  'mtt-exactness': _exactness_case,
  'evaluate': _evaluate_case,
  'five-learners': _five_case,
  'dispatch': _dispatch_case,
}
_GROUPS = {'speed': tuple(_ALL), 'kernels': tuple(kernel_speed.CASES)}
_GROUPS['unroll'] = tuple(unrolling.CASES)
_ALL |= kernel_speed.CASES | unrolling.CASES


if __name__ == '__main__':
  command_line.run(benchmark)
