"""Labels of every usual kind become class numbers, and what was said of them.

Integers are class numbers as they are; text, one-hot rows and whole floats are
understood, and named in a note. One class for each image, or none of it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dd_jax.data import check
from dd_jax.types import UserError


class Numbered(NamedTuple):
  """Labels as class numbers.

  Attributes:
    labels: int32 `[n]` each, of the splits in the order given.
    names: in label order, or None where nothing names the classes.
    notes: what was understood.
  """

  labels: list[np.ndarray]
  names: tuple[str, ...] | None
  notes: tuple[str, ...] = ()


def numbered(
  labels: Sequence[tuple[str, Any]], names: tuple[str, ...] | None
) -> Numbered:
  """Class numbers of one or several splits, by what the first one is.

  Args:
    labels: of each split how messages name it, and its labels: `[n]` or
      `[n, 1]` of integers, whole floats, booleans or text; or one-hot `[n, k]`.
    names: of the classes, in label order; or None.

  Raises:
    UserError: labels of none of these kinds, several classes for one image
      (a multi-label set), or text that no class is called.
  """
  arrays = [(where, _array(where, label)) for where, label in labels]
  where, first = arrays[0]
  if first.dtype.kind == 'U':
    return _from_text(arrays, names)
  if first.ndim == 2 and first.shape[1] > 1:
    k = first.shape[1]
    note = f'{where} is one-hot rows of {k} classes'
    found = [_from_one_hot(w, label, k) for w, label in arrays]
    return Numbered(found, names or tuple(map(str, range(k))), (note,))
  notes: tuple[str, ...] = ()
  if first.dtype.kind in 'fb':
    notes = (
      f'{where} has type {first.dtype}: whole numbers, taken as classes',
    )
  return Numbered([check.labels(w, _whole(y)) for w, y in arrays], names, notes)


def in_order(names: Sequence[str]) -> list[str]:
  """Sorted by number where all are numbers, otherwise by alphabet."""
  by_number = all(n.isdecimal() for n in names)
  return sorted(names, key=int) if by_number else sorted(names)


def text(where: str, array: np.ndarray) -> np.ndarray:
  """Bytes and Python strings as NumPy text; anything else as it is.

  Raises:
    UserError: bytes that are no UTF-8.
  """
  if array.dtype.kind == 'O' and all(isinstance(x, str) for x in array.flat):
    return array.astype(str)
  if array.dtype.kind != 'S':
    return array
  try:
    return np.char.decode(array, 'utf-8')
  except UnicodeDecodeError as e:
    raise UserError(f'{where} holds text that is not UTF-8') from e


def _array(where: str, label: Any) -> np.ndarray:
  label = text(where, np.asarray(label))
  return label[:, 0] if label.ndim == 2 and label.shape[1] == 1 else label


def _from_text(
  arrays: Sequence[tuple[str, np.ndarray]], names: tuple[str, ...] | None
) -> Numbered:
  """Text by the names given, or by its own, sorted."""
  where, first = arrays[0]
  notes: tuple[str, ...] = ()
  if names is None:
    names = tuple(in_order([str(x) for x in np.unique(first)]))
    notes = (
      f'{where} is text: its {len(names)} names, sorted, are the classes',
    )
  found = [_look_up(w, label, names) for w, label in arrays]
  return Numbered(found, names, notes)


def _look_up(
  where: str, label: np.ndarray, names: tuple[str, ...]
) -> np.ndarray:
  number = {name: i for i, name in enumerate(names)}
  if label.dtype.kind != 'U' or label.ndim != 1:
    raise UserError(
      f'{where} has type {label.dtype} and shape {label.shape}; labels must be '
      'one row of text, as those of the training split'
    )
  unknown = next((x for x in label.tolist() if x not in number), None)
  if unknown is not None:
    raise UserError(
      f'{where} holds {unknown!r}, and no class is called so; classes are '
      f'{", ".join(names[:8])}{" ..." if len(names) > 8 else ""}'
    )
  return np.array([number[x] for x in label.tolist()], np.int32)


def _from_one_hot(where: str, label: np.ndarray, k: int) -> np.ndarray:
  if label.ndim != 2 or label.shape[1] != k or label.dtype.kind not in 'iufb':
    raise UserError(
      f'{where} has type {label.dtype} and shape {label.shape}; labels must be '
      f'one-hot rows of {k} numbers, as those of the training split'
    )
  if not np.isin(label, (0, 1)).all():
    raise UserError(
      f'{where} has shape {label.shape} and other values than 0 and 1; labels '
      'must be one class number for each image, N or N x 1, or one-hot rows'
    )
  _check_one_each(where, np.count_nonzero(label, axis=1))
  return label.argmax(1).astype(np.int32)


def _check_one_each(where: str, ones: np.ndarray) -> None:
  """Raises where a row of a matrix names several classes, or none."""
  several = ones > 1
  if several.any():
    raise UserError(
      f'{where} is multi-label: {np.count_nonzero(several):,} of {len(ones):,} '
      f'rows have more than one 1 (row {several.argmax()} has '
      f'{ones[several.argmax()]}); every image must have one class'
    )
  if not ones.all():
    raise UserError(
      f'{where}: row {ones.argmin()} has no 1; every image must have one class'
    )


def _whole(label: np.ndarray) -> np.ndarray:
  """Whole floats and booleans as integers; anything else as it is."""
  if label.dtype.kind == 'b':
    return label.astype(np.int64)
  if label.dtype.kind != 'f' or not np.isfinite(label).all():
    return label
  return label.astype(np.int64) if (label == np.round(label)).all() else label
