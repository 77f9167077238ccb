"""Rows of a run as JSON lines, and whether they are still those it wrote."""

import json
import math
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

Row = dict[str, Any]
"""`{'step': 1, ...}`."""


def of_metrics(
  steps: np.ndarray, metrics: Mapping[str, np.ndarray]
) -> list[Row]:
  """A row of every step: `steps [n]`, and each metric `[n]`."""
  columns = [np.asarray(v).tolist() for v in metrics.values()]
  return [
    {'step': step, **dict(zip(metrics, row, strict=True))}
    for step, *row in zip(np.asarray(steps).tolist(), *columns, strict=True)
  ]


def validated(step: int, score: float) -> Row:
  """The row of a validation; accuracy in percent."""
  return {'step': step, 'accuracy': 100 * score}


def line(row: Row) -> str:
  """A row as its line; a value that is not finite is null."""
  finite = {
    k: None if isinstance(v, float) and not math.isfinite(v) else v
    for k, v in row.items()
  }
  return json.dumps(finite) + '\n'


def parse(text: str) -> Row | None:
  """The row on a whole line, or None."""
  if not text.endswith('\n'):
    return None
  try:
    row = json.loads(text)
  except ValueError:
    return None
  well_formed = isinstance(row, dict) and isinstance(row.get('step'), int)
  return row if well_formed else None


def read(text: str) -> dict[int, str]:
  """The lines of a file that are rows, each step once and in order.

  What is torn, doubled or no row is passed over.
  """
  found: dict[int, str] = {}
  for one in text.splitlines(True):
    row = parse(one)
    if row is not None:
      found.setdefault(row['step'], one)
  return dict(sorted(found.items()))


def checksum(rows: Iterable[Row], before: int = 0) -> int:
  """CRC-32 of their lines, after rows whose own is `before`."""
  return zlib.crc32(''.join(map(line, rows)).encode(), before)


def add(sums: dict[str, int], name: str, rows: Iterable[Row]) -> None:
  """Counts rows in, in place, where all before them were counted too.

  Args:
    sums: `checksum` by the name of the file; what it lacks is unknown.
    name: of the file.
    rows: that were just told.
  """
  if name in sums:
    sums[name] = checksum(rows, sums[name])


def changed(name: str, text: str, written: int | None, steps: int) -> str:
  """What became of a file's rows that the run did not do; '' if nothing.

  Args:
    name: of the file.
    text: its content.
    written: `checksum` of all rows that the run wrote; None if unknown.
    steps: of which each has a row; 0 where not each has one.
  """
  if written is None or zlib.crc32(text.encode()) == written:
    return ''
  found = read(text)
  missing = [step for step in range(1, steps + 1) if step not in found]
  why = 'the file was changed while the run was stopped'
  if missing:
    return (
      f'{name}: the rows of {len(missing):,} of {steps:,} steps are lost, '
      f'between step {missing[0]:,} and {missing[-1]:,}: {why}'
    )
  return f'{name}: its rows are not all those that the run wrote: {why}'
