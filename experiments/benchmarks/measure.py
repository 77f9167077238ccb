"""How a case is measured: the yardstick, times, and a source to work on."""

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np
from threadpoolctl import threadpool_limits

from dd_jax.data.source import ResidentSource, resident

Row: TypeAlias = dict[str, Any]
"""What was measured, by name, for JSON."""

SHAPE, CLASSES = (32, 32, 3), 10
_REAL = 5000
_YARDSTICK = 2048


class Conditions(NamedTuple):
  """What a case is measured under.

  Attributes:
    repeats: timed, after a warm-up.
    mesh: whose `data` axis work is split over, or None.
  """

  repeats: int = 5
  mesh: jax.sharding.Mesh | None = None


Case: TypeAlias = Callable[[Conditions], Row]


def yardstick() -> float:
  """GFLOP/s of NumPy's matrix product on one thread, best of five."""
  x = np.random.default_rng(0).normal(size=(_YARDSTICK,) * 2)
  x = x.astype(np.float32)
  with threadpool_limits(1):
    return 2 * _YARDSTICK**3 / min(timed(lambda: x @ x, 5)) / 1e9


def timed(call: Callable[[], Any], repeats: int) -> list[float]:
  """Seconds of every repeat, the result waited for."""
  seconds = []
  for _ in range(repeats):
    start = time.perf_counter()
    jax.block_until_ready(call())
    seconds.append(time.perf_counter() - start)
  return seconds


def median(call: Callable[[], Any], repeats: int) -> float:
  """Median seconds of the repeats after the first call, which compiles."""
  return statistics.median(timed(call, repeats + 1)[1:])


def speed(
  conditions: Conditions, call: Callable[[], Any], work: float, steps: int = 1
) -> Row:
  """Times `call`, which does `steps` times `work` GFLOP."""
  compile_seconds = timed(call, 1)[0]
  seconds = [s / steps for s in timed(call, conditions.repeats)]
  middle = statistics.median(seconds)
  return {
    'seconds': round(middle, 5),
    'fastest': round(min(seconds), 5),
    'slowest': round(max(seconds), 5),
    'gflop': round(work, 1),
    'gflops': round(work / middle, 1),
    'first_call_seconds': round(compile_seconds, 1),
  }


def noise(shape: tuple[int, ...] = SHAPE, size: int = _REAL) -> ResidentSource:
  """A source of normal noise, in ten classes."""
  rng = np.random.default_rng(0)
  image = rng.normal(size=(size, *shape)).astype(np.float32)
  return resident(image, np.arange(size) % CLASSES, CLASSES, None)
