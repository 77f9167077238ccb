r"""Measures speed and accuracy, and prints each figure beside its yardstick.

  python -m experiments.benchmark --cases=frepo-10,evaluate --cores=1
  python -m experiments.benchmark --cases=speed --output=speed.json
  python -m experiments.benchmark --cases= --runs=mnist:kip:1,mnist:frepo:1 \
      --cores=0 --data=mnist=mnist.npz

Speeds are useful operations a second (see `experiments.benchmarks.flops`),
medians of repeats after a warm-up. The yardstick is NumPy's 2048-cubed float32
matrix product on as many threads as there are cores, best of five, before and
after; a share above 1 would say that NumPy was held back, and is refused.
"""

import functools
import os
import resource
import sys
from collections.abc import Callable

import jax
from absl import flags

from dd_jax.checks import check_name
from dd_jax.files import write_json
from dd_jax.run import command_line, pipeline, settings
from dd_jax.run.machine import versions
from dd_jax.types import UserError
from experiments.benchmarks import CASES, GROUPS
from experiments.benchmarks.measure import Conditions, Row
from experiments.benchmarks.yardstick import yardstick

command_line.load_parts()
FLAGS = command_line.new_flags()
_CASES = flags.DEFINE_list(
  'cases',
  ['speed'],
  'Names, or speed, published, kernels, unroll, precision; see --list.',
  flag_values=FLAGS,
)
_LIST = flags.DEFINE_bool(
  'list',
  False,
  'Lists the cases.',
  flag_values=FLAGS,
)
_CORES = flags.DEFINE_integer(
  'cores',
  1,
  'CPU cores to run on; 0 for all.',
  flag_values=FLAGS,
)
_HOST_DEVICES = flags.DEFINE_integer(
  'host_devices',
  1,
  'Devices that the CPU shows as; batches are split.',
  flag_values=FLAGS,
)
_RUNS = flags.DEFINE_list(
  'runs',
  [],
  'Whole runs to score, as SET:METHOD:IPC, by their recipes.',
  flag_values=FLAGS,
)
_DATA = flags.DEFINE_list(
  'data',
  [],
  'SET=FILE: where a set of --runs lies, if not found by name.',
  flag_values=FLAGS,
)
_REPEATS = flags.DEFINE_integer(
  'repeats',
  5,
  'Timed repeats of each case.',
  flag_values=FLAGS,
)
_OUTPUT = flags.DEFINE_string(
  'output',
  None,
  'Also write the rows as JSON.',
  flag_values=FLAGS,
)


def benchmark(fields: dict[str, str]) -> None:
  """Runs what the flags name; `fields` change every run's recipe."""
  if _LIST.value:
    print('\n'.join(CASES))
    return
  cases = [c for c in _CASES.value if c]
  names = [n for c in cases for n in GROUPS.get(c, [c])]
  for name in names:
    check_name('--cases', name, CASES)
  _place(_CORES.value, _HOST_DEVICES.value)
  mesh = command_line.mesh(_HOST_DEVICES.value)
  conditions = Conditions(_REPEATS.value, mesh)
  rows = [_measured(n, functools.partial(CASES[n], conditions)) for n in names]
  rows += [
    _measured(n, functools.partial(_run, n, fields)) for n in _RUNS.value
  ]
  if _OUTPUT.value:
    write_json(_OUTPUT.value, {'versions': versions(), 'rows': rows})


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
  config = settings.configuration(None, named, fields)
  where = dict(x.split('=', 1) for x in _DATA.value)
  config['dataset'] = where.get(dataset, dataset)
  result = pipeline.run(config, command=lambda changes: f'--runs={name}').result
  kept = ('protocol', 'test_accuracy', 'baselines', 'other_scores', 'steps')
  return {k: result[k] for k in (*kept, 'seconds', 'peak_memory_bytes')}


def _measured(name: str, case: Callable[[], Row]) -> Row:
  """The row of a case: beside the yardstick, and printed."""
  threads = _CORES.value or os.cpu_count() or 1
  before = yardstick(threads)
  row: Row = {'case': name, 'device': jax.devices()[0].device_kind}
  row |= {'cores': _CORES.value, 'host_devices': _HOST_DEVICES.value}
  row |= case()
  most = max(before, yardstick(threads))
  row['yardstick_gflops'] = round(most.gflops, 1)
  row['yardstick_kernel'] = most.kernel
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  row['peak_mib_so_far'] = round(peak / 2**10)  # of all cases up to this one
  if 'gflops' in row:
    share = round(row['gflops'] / most.gflops, 3)
    told = 'refused: above 1, NumPy was held back by something'
    row['share_of_yardstick'] = share if share <= 1 else told
  print(', '.join(f'{k} {v}' for k, v in row.items()), flush=True)
  return row


if __name__ == '__main__':
  command_line.run(
    command_line.Command('benchmark', __doc__ or '', FLAGS, benchmark)
  )
