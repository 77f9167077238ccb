"""NumPy's matrix product: the yardstick of speeds on a CPU.

It is measured in a process of its own, without the variables that choose
OpenBLAS's kernels for a machine: one that is set to an older one holds NumPy
back by half, and shares of it would exceed 1.
"""

import json
import os
import subprocess
import sys
import time
from typing import NamedTuple

_CHOOSING = ('OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE')
_SIDE, _REPEATS = 2048, 5


class Yardstick(NamedTuple):
  """How fast NumPy multiplies.

  Attributes:
    gflops: GFLOP/s of a 2048-cubed float32 product, best of five.
    kernel: what it ran on, as its library names it.
  """

  gflops: float
  kernel: str


def yardstick(threads: int = 1) -> Yardstick:
  """Measures it now, on the cores that this process may use."""
  kept = {k: v for k, v in os.environ.items() if k not in _CHOOSING}
  done = subprocess.run(
    [sys.executable, __file__, str(threads)],
    env=kept,
    stdout=subprocess.PIPE,
    check=True,
  )
  return Yardstick(**json.loads(done.stdout))


def _measure(threads: int) -> Yardstick:
  import numpy as np
  from threadpoolctl import threadpool_info, threadpool_limits

  x = np.random.default_rng(0).normal(size=(_SIDE, _SIDE)).astype(np.float32)
  seconds = []
  with threadpool_limits(threads):
    for _ in range(_REPEATS):
      start = time.perf_counter()
      x @ x
      seconds.append(time.perf_counter() - start)
  kernels = (
    i.get('architecture', i['internal_api']) for i in threadpool_info()
  )
  return Yardstick(2 * _SIDE**3 / min(seconds) / 1e9, next(kernels, 'unknown'))


if __name__ == '__main__':
  print(json.dumps(_measure(int(sys.argv[1]))._asdict()))
