"""Reading a NumPy archive: Keras's mnist.npz, or other usual keys."""

import zipfile
import zlib

import numpy as np

from dd_jax.data import keys, raw
from dd_jax.data.depth import Range
from dd_jax.files import ARCHIVE, kind, reason
from dd_jax.types import UserError

_BROKEN = (
  OSError, ValueError, EOFError, KeyError, MemoryError, SyntaxError,
  NotImplementedError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def read(path: str, value_range: Range | None = None) -> raw.Raw:
  """Reads `x_train, y_train` and, where there are any, `x_test, y_test`.

  Or the same under other usual names, see `keys`; `raw.read` tells what images
  and labels may be. Nothing in the file is ever executed.

  Args:
    path: of the archive.
    value_range: the values of black and of white; by default found.

  Raises:
    UserError: a file that is damaged or holds something else.
  """
  try:
    loaded = np.load(path, allow_pickle=False)
    if not isinstance(loaded, np.lib.npyio.NpzFile):
      raise UserError(f'{path} holds one bare array; expected x_train, y_train')
    with loaded as archive:
      chosen = keys.choose(path, archive.files)
      found = {k: _member(path, archive, k) for k in chosen.all}
  except UserError:
    raise
  except _BROKEN as e:
    what = kind(path)
    if what != ARCHIVE:
      raise UserError(
        f'{path} is {what}, and no readable NumPy archive; expected x_train '
        'and y_train, as np.savez writes them'
      ) from e
    raise UserError(
      f'{path} is no readable NumPy archive; it may be truncated or damaged '
      f'({reason(e)})'
    ) from e
  return keys.read(path, chosen, found, value_range)


def _member(path: str, archive: np.lib.npyio.NpzFile, key: str) -> np.ndarray:
  try:
    return archive[key]
  except ValueError as e:
    if 'allow_pickle' not in str(e):
      raise
    raise UserError(
      f'{path}: {key} holds Python objects, which are never loaded; save it '
      'as one plain array of numbers, or of text by .astype(str)'
    ) from e
