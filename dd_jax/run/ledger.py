"""What a suite has finished: a JSON line for each cell, whole at any moment."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from dd_jax.files import write_atomically, write_json
from dd_jax.run.grid import Cell, Judge
from dd_jax.run.workdir import differences
from dd_jax.types import UserError

LINES = 'results.jsonl'
"""The file of the lines."""
JUDGED = 'suite.json'
"""What the lines have in common, beside them."""
PLANS = 'plans.json'
"""How long runs are, so that all seeds have what was measured for the first."""


class Ledger:
  """The files of a suite's folder.

  Attributes:
    path: of the lines.
    lines: by the name of the cell; a later one replaces an earlier one.
  """

  def __init__(
    self, folder: pathlib.Path, judge: Judge, fields: Mapping[str, str]
  ) -> None:
    """Reads what is there, and notes how it is judged.

    Raises:
      UserError: it was judged otherwise, or a file is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _check(folder, {'judge': judge._asdict(), 'fields': dict(fields)})
    self.path = folder / LINES
    self.lines = {line['cell']: line for line in read(self.path)}
    self._plans = folder / PLANS
    self._changes: dict[str, dict[str, str]] = _read(self._plans) or {}

  def add(self, line: dict[str, Any]) -> None:
    """Adds a line, atomically."""
    self.lines[line['cell']] = line
    text = ''.join(json.dumps(held) + '\n' for held in self.lines.values())
    write_atomically(self.path, text.encode())

  def changes(self, cell: Cell) -> dict[str, str] | None:
    """What was measured for runs like it; None where nothing was."""
    return self._changes.get(_alike(cell))

  def keep(self, cell: Cell, changes: dict[str, str]) -> None:
    """Notes what was measured."""
    self._changes[_alike(cell)] = changes
    write_json(self._plans, self._changes)


def read(path: pathlib.Path) -> list[dict[str, Any]]:
  """The lines of a file; none where there is no file.

  Raises:
    UserError: names the first that is damaged.
  """
  if not path.exists():
    return []
  lines = []
  for i, text in enumerate(path.read_text('utf-8').splitlines(), 1):
    try:
      line = json.loads(text)
      lines.append({**line, 'cell': line['cell']})
    except (ValueError, TypeError, KeyError):
      raise UserError(
        f'{path}: line {i} is damaged; remove it, and its cell is run again'
      ) from None
  return lines


def _alike(cell: Cell) -> str:
  """What cells share that differ in their seed alone."""
  return f'{cell.group}, {cell.seconds:g} s'


def _check(folder: pathlib.Path, given: dict[str, Any]) -> None:
  """Refuses to add to what was judged otherwise; a new folder is marked."""
  path, given = folder / JUDGED, json.loads(json.dumps(given))
  held = _read(path)
  differing = differences(held, given) if held else []
  if differing:
    raise UserError(
      f'--workdir={folder} holds a suite that is judged otherwise '
      f'({"; ".join(differing)}): choose another folder'
    )
  write_json(path, given)


def _read(path: pathlib.Path) -> dict[str, Any] | None:
  """What a file holds; None where there is none."""
  try:
    return dict(json.loads(path.read_text()))
  except FileNotFoundError:
    return None
  except (ValueError, TypeError):
    raise UserError(f'{path}: damaged; choose another --workdir') from None
