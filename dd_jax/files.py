"""Writing files: whole or not at all, and plain words for a full disk."""

import contextlib
import errno
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

from dd_jax.types import UserError


def write_atomically(path: str | pathlib.Path, content: bytes) -> None:
  """Writes to a temporary file beside `path`, then renames it.

  Raises:
    UserError: the disk is full; what was there before is intact.
    OSError: the folder is missing or not writable.
  """
  path = pathlib.Path(path)
  with full_disk(path):
    handle, name = tempfile.mkstemp(prefix=f'.{path.name}.', dir=path.parent)
    try:
      with os.fdopen(handle, 'wb') as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
      # mkstemp makes files for the owner alone; results are to be shared.
      os.chmod(name, 0o644)
      os.replace(name, path)
    except BaseException:
      with contextlib.suppress(FileNotFoundError):
        os.unlink(name)
      raise


def write_json(path: str | pathlib.Path, content: Any) -> None:
  """Writes `content` as indented JSON, atomically."""
  text = json.dumps(content, indent=2, allow_nan=False)
  write_atomically(path, (text + '\n').encode())


@contextlib.contextmanager
def full_disk(path: str | pathlib.Path) -> Iterator[None]:
  """Turns "no space left on device", however it is said, into a `UserError`.

  Args:
    path: the file or folder to name.
  """
  try:
    yield
  except Exception as error:
    if not _is_full_disk(error):
      raise
    raise UserError(
      f'the disk that holds {path} is full: free some space and continue with '
      '--resume, or choose another --workdir (what was written before is '
      'intact)'
    ) from error


def _is_full_disk(error: BaseException | None) -> bool:
  while error is not None:
    if getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT):
      return True
    if 'No space left' in str(error):  # TensorStore says it in text only
      return True
    error = error.__cause__ or error.__context__
  return False
