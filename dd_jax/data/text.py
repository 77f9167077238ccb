"""Reading a table of pixels as text: CSV, one row for each image."""

import math
import os

import numpy as np

from dd_jax.data import raw
from dd_jax.data.depth import Range
from dd_jax.data.raw import Given, Raw
from dd_jax.types import UserError

_ENCODING = 'utf-8-sig'  # with or without the mark that Excel writes
_LABELS = ('label', 'labels', 'class', 'target', 'y')


def read(path: str, value_range: Range | None = None) -> Raw:
  """Reads rows of a label and the pixels of a square grey image, in its order.

  The label is in the column of that name, `label` or another usual one, or in
  the first where there is no head.

  Args:
    path: of the file.
    value_range: the values of black and of white; by default found.

  Raises:
    UserError: cells that are no numbers, or images that are not square.
  """
  head = _head(path)
  named = not all(map(_is_number, head[1:]))
  column = _label_column(path, head) if named else 0
  side = _side(path, len(head) - 1)
  pixels = [i for i in range(len(head)) if i != column]
  image = _cells(path, named, pixels).reshape(-1, side, side)
  label = _labels(path, named, column)
  note = (
    f'rows of {side} x {side} grey pixels, labels in column {column + 1}'
    + (f', {head[column]}' if named else '')
  )
  found = raw.read(
    path, Given(image, label, 'pixels', 'labels'), None, None, value_range
  )
  name = os.path.splitext(os.path.basename(path))[0]
  return found._replace(name=name, notes=(note, *found.notes))


def _side(path: str, pixels: int) -> int:
  """Of a square of so many."""
  side = math.isqrt(pixels)
  if side < 2 or side**2 != pixels:
    raise UserError(
      f'{path} has {pixels:,} columns beside the label, which are no square '
      'grey image; save images as N x H x W x C by np.savez'
    )
  return side


def _head(path: str) -> list[str]:
  try:
    with open(path, encoding=_ENCODING) as file:
      return [cell.strip().strip('"') for cell in file.readline().split(',')]
  except UnicodeDecodeError as e:
    raise UserError(f'{path} is no text in UTF-8') from e


def _label_column(path: str, head: list[str]) -> int:
  found = [i for i, name in enumerate(head) if name.lower() in _LABELS]
  if len(found) != 1:
    raise UserError(
      f'{path} has {len(found)} columns of labels; call one {_LABELS[0]!r} and '
      'the others otherwise'
    )
  return found[0]


def _cells(path: str, named: bool, columns: list[int]) -> np.ndarray:
  """Numbers, as integers where all are whole."""
  try:
    cells = _read(path, named, columns, float)
  except ValueError as e:
    raise UserError(
      f'{path}: {" ".join(str(e).split())[:120]}; pixels must be numbers'
    ) from e
  is_whole = np.isfinite(cells).all() and (cells == np.round(cells)).all()
  return cells.astype(np.int64) if is_whole else cells


def _labels(path: str, named: bool, column: int) -> np.ndarray:
  """Class numbers, or text where they are none."""
  label = _read(path, named, [column], str)[:, 0]
  return label.astype(float) if all(map(_is_number, label)) else label


def _read(path: str, named: bool, columns: list[int], kind: type) -> np.ndarray:
  return np.loadtxt(
    path,
    kind,
    delimiter=',',
    quotechar='"',
    skiprows=int(named),
    usecols=columns,
    ndmin=2,
    encoding=_ENCODING,
  )


def _is_number(cell: str) -> bool:
  try:
    float(cell)
  except ValueError:
    return False
  return True
