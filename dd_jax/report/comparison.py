"""Several runs in one table, and which differences are more than noise."""

import csv
import io
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dd_jax.report import facts, formats
from dd_jax.report.document import document
from dd_jax.report.markup import element

HEAD = (
  'run', 'method', 'data', 'per class', 'protocol', 'accuracy', 'runs',
  'random', 'stored', 'distilled in',
)  # fmt: skip
_NUMBERS = (3, 5, 7, 8, 9)  # columns to the right
_SURE = 2.0  # deviations that a difference must exceed


class Entry(NamedTuple):
  """One score of one set; what is not known is None.

  Attributes:
    run: where it stands, or '' for the random images beside it.
    method: by which the set was made.
    data: that it was scored on.
    ipc: images per class.
    protocol: how.
    score: `mean`, `std`, `values`, `runs`, as in result.json.
    random: the same of random images beside it.
    seed: of the learners.
    examples: of the test set.
    stored_bytes: what the set takes.
    seconds: of distilling, from the first state on.
  """

  run: str
  method: str | None
  data: str | None
  ipc: int | None
  protocol: str
  score: Mapping[str, Any]
  random: Mapping[str, Any] | None
  seed: int | None
  examples: int | None
  stored_bytes: int | None
  seconds: float | None


def entries(run: str, record: Mapping[str, Any]) -> list[Entry]:
  """The headline and the other scores of a record.

  Args:
    run: what it is called.
    record: as in `result.json`, or as `evaluate --output` writes it.
  """
  test = record.get('test_set', {})
  headline = Entry(
    run,
    record.get('method'),
    record.get('dataset'),
    record.get('images_per_class'),
    record['protocol'],
    record['test_accuracy'],
    record.get('baselines', {}).get('random'),
    record.get('seed'),
    test.get('examples'),
    record.get('stored_bytes'),
    facts.distilling(record),
  )
  others = record.get('other_scores', {})
  return [
    headline,
    *(
      headline._replace(protocol=name, score=score, random=None)
      for name, score in others.items()
    ),
  ]


def cells(found: Sequence[Entry]) -> list[tuple[str, ...]]:
  """The table's rows as text, in the columns of `HEAD`."""
  return [
    tuple(
      value or ''
      for value in (
        entry.run,
        formats.title(entry.method or ''),
        formats.title(entry.data or ''),
        formats.count(entry.ipc),
        entry.protocol,
        formats.accuracy(entry.score),
        str(entry.score.get('runs') or ''),
        formats.accuracy(entry.random),
        formats.size(entry.stored_bytes),
        formats.duration(entry.seconds),
      )
    )
    for entry in found
  ]


def statements(found: Sequence[Entry]) -> list[str]:
  """For each score, by how much the best of its kind leads it.

  Scores are of one kind where data, images per class and protocol are the same.
  """
  kind = lambda e: (str(e.data), e.protocol, e.ipc or 0)
  said = []
  for _, group in itertools.groupby(sorted(found, key=kind), kind):
    best, *rest = sorted(group, key=lambda e: -e.score['mean'])
    said += [_statement(best, other) for other in rest]
  return said


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
    Percentage points; their standard error, of learners and of test images
    together (these counted as if each score had images of its own, which is the
    most that they can be); and of what it is made.
  """
  lead = best.score['mean'] - other.score['mean']
  learners, paired = _of_learners(best, other)
  images = math.hypot(*(_of_images(entry) for entry in (best, other)))
  parts = [f'learners {learners:.2f}{", paired" * paired}']
  if images:
    parts.append(f'test images {images:.2f}')
  return lead, math.hypot(learners, images), ', '.join(parts)


def _of_learners(best: Entry, other: Entry) -> tuple[float, bool]:
  """The standard error over learners, paired where their seeds are the same."""
  values = [entry.score.get('values') or () for entry in (best, other)]
  count = len(values[0])
  if count > 1 and count == len(values[1]) and best.seed == other.seed:
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


def text(found: Sequence[Entry]) -> str:
  """The table for a terminal."""
  rows = [HEAD, *cells(found)]
  width = [max(map(len, column)) for column in zip(*rows, strict=True)]
  return '\n'.join('  '.join(_padded(row, width)).rstrip() for row in rows)


def _padded(row: Sequence[str], width: Sequence[int]) -> Iterator[str]:
  for i, (cell, size) in enumerate(zip(row, width, strict=True)):
    yield cell.rjust(size) if i in _NUMBERS else cell.ljust(size)


def markdown(found: Sequence[Entry]) -> str:
  """The table in Markdown, what is said of it below."""
  rule = tuple('---:' if i in _NUMBERS else '---' for i in range(len(HEAD)))
  rows = [HEAD, rule, *cells(found)]
  table = '\n'.join(f'| {" | ".join(row)} |' for row in rows)
  return '\n'.join([table, '', *(f'- {line}' for line in statements(found))])


def table_of_values(found: Sequence[Entry]) -> str:
  """The table as CSV, numbers as they are."""
  file = io.StringIO()
  writer = csv.writer(file, lineterminator='\n')
  names = ('mean', 'std', 'random_mean', 'random_std')
  plain = [f for f in Entry._fields if f not in ('score', 'random')]
  writer.writerow([*plain, *names])
  for entry in found:
    held = entry._asdict()
    both = [entry.score, entry.random or {}]
    scores = [score.get(k) for score in both for k in ('mean', 'std')]
    writer.writerow([*(held[k] for k in plain), *scores])
  return file.getvalue()


def page(found: Sequence[Entry]) -> str:
  """The table as a page of its own, in the style of the reports."""
  title = 'Distilled sets compared'
  rows = [
    element(
      'tr',
      {},
      *(
        element(tag, {'class': 'n'} if i in _NUMBERS else {}, cell)
        for i, cell in enumerate(row)
      ),
    )
    for tag, row in [('th', HEAD), *(('td', row) for row in cells(found))]
  ]
  lines = [element('li', {}, line) for line in statements(found)]
  body = element(
    'main',
    {},
    element('h1', {}, title),
    element('div', {'class': 'wide'}, element('table', {}, *rows)),
    element('h2', {}, 'More than noise?'),
    element('ul', {}, *lines),
  )
  return document(title, body, style=_STYLE)


_STYLE = """
.wide{overflow-x:auto;margin:1.5rem 0 2rem}
main{max-width:none}
td,th{padding:.35rem .7rem;text-align:left;white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
ul{margin:.5rem 0 0 1.2rem;padding:0}
"""
