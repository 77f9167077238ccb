"""The rows that are done: one JSON line each, on disk as it ends."""

import json
import os
import pathlib
from typing import Any

from dd_jax.files import write_atomically
from experiments.benchmarks.measure import Row

_FAILED = 'error'


class Journal:
  """A file of rows, added to by any number of processes one after the other.

  Attributes:
    path: the file.
  """

  def __init__(self, path: pathlib.Path, same: Row) -> None:
    """Reads what is there.

    Args:
      path: of the file; made with the first row.
      same: what all rows of this process have; those of others do not count as
        done, say where the device was another.
    """
    self.path = path
    self._same = same
    self._done = [row for row in _rows(path) if _FAILED not in row]

  def done(self, stage: str, name: str) -> bool:
    """Whether that point has a row that tells of no failure."""
    wanted = self._same | {'stage': stage, 'case': name}
    return any(wanted.items() <= row.items() for row in self._done)

  def add(self, row: Row) -> Row:
    """Appends a row, with what all have, and returns it."""
    row = self._same | row
    with self.path.open('a') as file:
      file.write(json.dumps(row) + '\n')
      file.flush()
      os.fsync(file.fileno())
    return row


def _rows(path: pathlib.Path) -> list[dict[str, Any]]:
  """The rows of a file; a torn last one, of a killed process, is dropped."""
  if not path.exists():
    return []
  lines = path.read_text().splitlines(True)
  whole = [line for line in lines if line.endswith('\n')]
  if whole != lines:
    write_atomically(path, ''.join(whole).encode())
  return [json.loads(line) for line in whole]
