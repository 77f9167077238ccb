"""Which differences between scores are larger than the noise."""

import itertools
import math
from collections.abc import Sequence

from dd_jax.report.entry import Entry

_SURE = 2.0  # deviations that a difference must exceed


def statements(found: Sequence[Entry]) -> list[str]:
  """For each score, by how much the best of its kind leads it.

  Scores are of one kind where data, images per class and protocol are the same.
  """
  scored = [entry for entry in found if entry.score]
  said = []
  for _, group in itertools.groupby(sorted(scored, key=_kind), _kind):
    best, *rest = sorted(group, key=lambda e: -e.score['mean'])
    said += [_statement(best, other) for other in rest]
  return said


def _kind(entry: Entry) -> tuple[str, str, str]:
  return entry.kind


def _statement(best: Entry, other: Entry) -> str:
  lead, noise, how = difference(best, other)
  if lead == 0:
    return f'{best.protocol}: {best.run} and {other.run} are equal'
  verdict = (
    'more than the noise' if lead > _SURE * noise else 'within the noise'
  )
  return (
    f'{best.protocol}: {best.run} leads {other.run} by {lead:.2f} points, '
    f'{verdict} ({_SURE:g} x {noise:.2f}; {how})'
  )


def difference(best: Entry, other: Entry) -> tuple[float, float, str]:
  """The lead of one score over another, and how sure it is.

  Returns:
    Percentage points; their standard error, of runs and of test images together
    (these counted as if each score had images of its own, which is the most
    that they can be); and of what it is made.
  """
  lead = best.score['mean'] - other.score['mean']
  runs, paired = _of_runs(best, other)
  images = math.hypot(*(_of_images(entry) for entry in (best, other)))
  what = 'seeds' if len(best.seeds) > 1 else 'learners'
  parts = [f'{what} {runs:.2f}{", paired" * paired}']
  if images:
    parts.append(f'test images {images:.2f}')
  return lead, math.hypot(runs, images), ', '.join(parts)


def _of_runs(best: Entry, other: Entry) -> tuple[float, bool]:
  """The standard error over learners, or over seeds; paired where these are
  the same.
  """
  values = [entry.score.get('values') or () for entry in (best, other)]
  count = len(values[0])
  if count > 1 and count == len(values[1]) and best.seeds == other.seeds:
    gaps = [a - b for a, b in zip(*values, strict=True)]
    mean = sum(gaps) / count
    square = sum((gap - mean) ** 2 for gap in gaps) / (count - 1)
    return math.sqrt(square / count), True
  each = [
    (entry.score.get('std') or 0.0) / math.sqrt(max(1, len(held)))
    for entry, held in zip((best, other), values, strict=True)
  ]
  return math.hypot(*each), False


def _of_images(entry: Entry) -> float:
  """The standard error of an accuracy on so many test images, in percent."""
  if not entry.examples:
    return 0.0
  share = entry.score['mean'] / 100
  return 100 * math.sqrt(share * (1 - share) / entry.examples)
