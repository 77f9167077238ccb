"""Several runs in one table: text, Markdown and CSV."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dd_jax.report import formats, metrics
from dd_jax.report.entry import Entry
from dd_jax.report.noise import statements

HEAD = (
  'run', 'accuracy', 'protocol', 'labels', 'random', 'published', 'method',
  'data', 'images', 'runs', 'over learners', 'stored', 'distilled in',
  'beyond accuracy',
)  # fmt: skip
NUMBERS = (1, 4, 5, 10, 11, 12)
"""Columns whose content is to the right."""


def cells(found: Sequence[Entry]) -> list[tuple[str, ...]]:
  """The table's rows as text, in the columns of `HEAD`."""
  return [tuple(value or '' for value in _cells(entry)) for entry in found]


def _cells(entry: Entry) -> Iterator[str | None]:
  yield entry.run
  yield formats.accuracy(entry.score)
  yield entry.protocol
  yield entry.labels
  yield formats.accuracy(entry.random)
  yield _published(entry)
  yield formats.title(entry.method or '')
  yield formats.title(entry.data or '')
  yield entry.size
  yield str(entry.score.get('runs') or '')
  yield None if entry.of_learners is None else f'± {entry.of_learners:.1f}'
  yield formats.size(entry.stored_bytes)
  yield formats.duration(entry.seconds)
  measures = _metrics(entry).items()
  yield ', '.join(f'{name} {metrics.said(held)}' for name, held in measures)


def _metrics(entry: Entry) -> Mapping[str, Any]:
  found: Mapping[str, Any] = entry.score.get('metrics') or {}
  return found


def _published(entry: Entry) -> str | None:
  if entry.published is None:
    return None
  accuracy, source = entry.published
  return f'{accuracy:.1f} ({source})'


def shown_columns(found: Sequence[Entry]) -> list[int]:
  """Those of `HEAD` that say something of any entry."""
  rows = cells(found)
  return [i for i in range(len(HEAD)) if any(row[i] for row in rows)]


def text(found: Sequence[Entry]) -> str:
  """The table for a terminal."""
  shown = shown_columns(found)
  rows = [[row[i] for i in shown] for row in (HEAD, *cells(found))]
  width = [max(map(len, column)) for column in zip(*rows, strict=True)]
  right = [i in NUMBERS for i in shown]
  return '\n'.join('  '.join(_padded(r, width, right)).rstrip() for r in rows)


def _padded(
  row: Sequence[str], width: Sequence[int], right: Sequence[bool]
) -> Iterator[str]:
  for cell, size, number in zip(row, width, right, strict=True):
    yield cell.rjust(size) if number else cell.ljust(size)


def markdown(found: Sequence[Entry]) -> str:
  """The table in Markdown, what is said of it below."""
  shown = shown_columns(found)
  rule = tuple('---:' if i in NUMBERS else '---' for i in range(len(HEAD)))
  rows = [[row[i] for i in shown] for row in (HEAD, rule, *cells(found))]
  table = '\n'.join(f'| {" | ".join(row)} |' for row in rows)
  said = [f'- {line}' for line in statements(found)]
  return '\n'.join([table, '', *said, ''])


def table_of_values(found: Sequence[Entry]) -> str:
  """The table as CSV, numbers as they are."""
  file = io.StringIO()
  writer = csv.writer(file, lineterminator='\n')
  nested = ('score', 'random', 'seeds', 'published')
  plain = [field for field in Entry._fields if field not in nested]
  scores = ('mean', 'std', 'random_mean', 'random_std')
  asked = list(dict.fromkeys(name for e in found for name in _metrics(e)))
  writer.writerow([*plain, 'seeds', *scores, 'published', 'source', *asked])
  for entry in found:
    held = entry._asdict()
    both = [entry.score, entry.random or {}]
    values = [score.get(k) for score in both for k in ('mean', 'std')]
    seeds = ' '.join(map(str, entry.seeds))
    known = entry.published or (None, None)
    more = [_metrics(entry).get(name, {}).get('mean') for name in asked]
    writer.writerow([*(held[k] for k in plain), seeds, *values, *known, *more])
  return file.getvalue()
