"""Stage: steps a second at published settings, beside what the device can do.

Useful operations a second (`experiments.benchmarks.flops`) are compared with
square matrix products at the precision that the device takes by default, of the
same process.
"""

import functools
from collections.abc import Callable, Iterator

from experiments.benchmarks import CASES
from experiments.benchmarks.measure import Conditions, Row
from experiments.on_gpu.device import peaks
from experiments.on_gpu.points import Asked, Point

_CASES = {
  'kip-dense-10': 100,
  'evaluate-20': 1,
  'dm-10': 10,
  'frepo-wide-10': 10,
  'rfad-published': 2,
  'kip-conv-1': 1,
  'dc-10': 1,
  'dsa-10': 1,
  'mtt-50': 1,
  'experts': 1,
  'rat-bptt-published': 1,
  'bptt-200': 1,
  'rcig-1': 2,
  'dm-1': 10,
  'frepo-wide-1': 10,
  'kernel-convnet': 1,
  'kernel-myrtle5': 1,
}
"""How many times as many outer steps as on a CPU a call makes."""


def fast(asked: Asked) -> Iterator[Point]:
  """What the device can do at most, then what it does."""
  held: Row = {}

  def most() -> Row:
    """Measured once in a process: shares are of its own."""
    if not held:
      held.update(peaks(Conditions(caps=asked.caps)))
    return held

  yield Point('peaks', most)
  for name, steps in _CASES.items():
    times = 1 if asked.rehearse else steps
    conditions = Conditions(3, None, asked.caps, times)
    yield Point(name, functools.partial(_timed, name, conditions, most))


def _timed(name: str, conditions: Conditions, most: Callable[[], Row]) -> Row:
  """A case, its rate, and its share of the matrix product."""
  row = dict(CASES[name](conditions))
  if 'seconds' in row:
    row['steps_per_second'] = float(f'{1 / row["seconds"]:.4g}')
  if 'gflops' in row:
    peak = most()['tflops_default']
    row['peak_tflops'] = peak
    row['share_of_peak'] = round(row['gflops'] / 1e3 / peak, 4)
  return row
