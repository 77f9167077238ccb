"""Reading a NumPy archive in the layout of Keras's mnist.npz."""

import os
import zipfile
import zlib

import numpy as np

from dd_jax.data import dataset
from dd_jax.files import ARCHIVE, kind, reason
from dd_jax.types import UserError

_REQUIRED = ('x_train', 'y_train')
_OPTIONAL = ('x_test', 'y_test', 'class_names')
_BROKEN = (
  OSError, ValueError, EOFError, KeyError, MemoryError, SyntaxError,
  NotImplementedError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def read(path: str | os.PathLike[str]) -> dataset.Raw:
  """Reads `x_train, y_train` and, where there are any, `x_test, y_test`.

  Images are `[n, h, w]` or `[n, h, w, c]`, uint8 or floats in [0, 1]; labels
  integers `[n]` or `[n, 1]`. An array of strings `class_names` is used where
  there is one. Nothing in the file is ever executed.

  Raises:
    UserError: a file that is missing, damaged or holds something else.
  """
  found = _members(os.fspath(path))
  names = found.pop('class_names', None)
  raw = dataset.read_arrays(
    os.fspath(path),
    found['x_train'],
    found['y_train'],
    found.get('x_test'),
    found.get('y_test'),
  )
  return raw._replace(
    name=os.path.splitext(os.path.basename(path))[0],
    class_names=None if names is None else _names(os.fspath(path), names),
  )


def _members(path: str) -> dict[str, np.ndarray]:
  if not os.path.isfile(path):
    raise UserError(f'{path}: no such file')
  if not os.path.getsize(path):
    raise UserError(f'{path} is empty (0 bytes); expected a NumPy archive')
  try:
    loaded = np.load(path, allow_pickle=False)
    if not isinstance(loaded, np.lib.npyio.NpzFile):
      raise UserError(f'{path} holds one bare array; expected x_train, y_train')
    with loaded as archive:
      files = _names_in(path, archive)
      return {k: _member(path, archive, k) for k in files}
  except UserError:
    raise
  except _BROKEN as e:
    found = kind(path)
    if found != ARCHIVE:
      raise UserError(
        f'{path} is {found}, and no readable NumPy archive; expected x_train '
        'and y_train, as np.savez writes them'
      ) from e
    raise UserError(
      f'{path} is no readable NumPy archive; it may be truncated or damaged '
      f'({reason(e)})'
    ) from e


def _names_in(path: str, archive: np.lib.npyio.NpzFile) -> list[str]:
  missing = [k for k in _REQUIRED if k not in archive.files]
  if missing:
    raise UserError(
      f'{path} has no {missing[0]}; it holds '
      f'{", ".join(sorted(archive.files)[:8]) or "nothing"}; expected '
      'x_train, y_train and, where there is a test split, x_test, y_test'
    )
  return [k for k in _REQUIRED + _OPTIONAL if k in archive.files]


def _member(path: str, archive: np.lib.npyio.NpzFile, key: str) -> np.ndarray:
  try:
    return archive[key]
  except ValueError as e:
    if 'allow_pickle' not in str(e):
      raise
    raise UserError(
      f'{path}: {key} holds Python objects, which are never loaded; save it '
      'as one plain array of numbers'
    ) from e


def _names(path: str, names: np.ndarray) -> tuple[str, ...]:
  if names.ndim != 1 or names.dtype.kind != 'U':
    raise UserError(f'{path}: class_names must be one row of text')
  return tuple(str(n) for n in names)
