"""Points in their order, until the time is over."""

import time
from collections.abc import Iterable

import jax

from dd_jax.files import one_line
from dd_jax.run.machine import peak_memory_bytes
from experiments.benchmarks.measure import Row
from experiments.on_gpu.journal import Journal
from experiments.on_gpu.points import Asked, Point


def work(
  points: Iterable[tuple[str, Point]], asked: Asked, journal: Journal
) -> int:
  """Makes what is not done yet; returns how many points were left for later.

  A point that fails becomes a row that says why, and the next one goes on.

  Args:
    points: each with the name of its stage.
    asked: says how much time is left.
    journal: of the rows.
  """
  later = 0
  for stage, point in points:
    if journal.done(stage, point.name):
      continue
    if asked.left() <= point.seconds:
      later += 1
      continue
    print(f'{stage}: {point.name} ...', flush=True)
    row = journal.add({'stage': stage, 'case': point.name, **_row(point)})
    print(', '.join(f'{k} {v}' for k, v in row.items()), flush=True)
    jax.clear_caches()  # programs of one point are of no use to the next
  return later


def _row(point: Point) -> Row:
  """What a point found, or why it found nothing; with its time and memory."""
  start = time.perf_counter()
  try:
    found = dict(point.measure())
  except Exception as error:  # whatever it is, the next point goes on
    found = {'error': f'{type(error).__name__}: {one_line(error)}'}
  found['wall_seconds'] = round(time.perf_counter() - start, 1)
  found['peak_mib_so_far'] = round(peak_memory_bytes() / 2**20)
  return found
