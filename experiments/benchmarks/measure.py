"""How a case is measured: times, and a source to work on."""

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np

from dd_jax.data.source import ResidentSource, resident
from experiments.benchmarks.sizes import FREE, Caps

Row: TypeAlias = dict[str, Any]
"""What was measured, by name, for JSON."""

SHAPE, CLASSES = (32, 32, 3), 10
_REAL = 5000


class Conditions(NamedTuple):
  """What a case is measured under.

  Attributes:
    repeats: timed, after a warm-up.
    mesh: whose `data` axis work is split over, or None.
    caps: what sizes are held below: for rehearsals.
    steps: how many times as many outer steps a call makes: on an accelerator
      those of a second, as the driver does.
  """

  repeats: int = 5
  mesh: jax.sharding.Mesh | None = None
  caps: Caps = FREE
  steps: int = 1

  @property
  def shape(self) -> tuple[int, int, int]:
    """Of an image."""
    side = self.most('image_side', SHAPE[0])
    return side, side, SHAPE[2]

  def most(self, name: str, size: int) -> int:
    """`size`, held below what is allowed of that name."""
    return min(size, self.caps.get(name, size))


Case: TypeAlias = Callable[[Conditions], Row]


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
  conditions: Conditions,
  call: Callable[[], Any],
  work: float | None,
  steps: int = 1,
) -> Row:
  """Times `call`, which does `steps` times `work` GFLOP, if that is counted."""
  compile_seconds = timed(call, 1)[0]
  seconds = [s / steps for s in timed(call, conditions.repeats)]
  middle = statistics.median(seconds)
  done = {} if work is None else of_work(work, middle)
  return {
    'seconds': round(middle, 7),
    'fastest': round(min(seconds), 7),
    'slowest': round(max(seconds), 7),
    **done,
    'first_call_seconds': round(compile_seconds, 1),
  }


def of_work(work: float, seconds: float) -> Row:
  """Useful operations, and how many a second."""
  return {'gflop': round(work, 1), 'gflops': round(work / seconds, 1)}


def noise(shape: tuple[int, ...] = SHAPE, size: int = _REAL) -> ResidentSource:
  """A source of normal noise, in ten classes."""
  rng = np.random.default_rng(0)
  image = rng.normal(size=(size, *shape)).astype(np.float32)
  return resident(image, np.arange(size) % CLASSES, CLASSES, None)
