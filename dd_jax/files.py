"""Files: written whole or not at all; plain words for what is in the way."""

import contextlib
import errno
import json
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator
from typing import Any

from dd_jax.types import UserError

ARCHIVE = 'a zip archive'
"""As `kind` calls it; an .npz is one."""
_HEAD = 512
_PICKLE = 'a pickle, which is never loaded'
_KINDS = (
  (b'PK\x03\x04', ARCHIVE),
  (b'\x93NUMPY', 'a single NumPy array'),
  (b'\x89PNG\r\n', 'a PNG image'),
  (b'\xff\xd8\xff', 'a JPEG image'),
  (b'GIF8', 'a GIF image'),
  (b'RIFF', 'a RIFF file, such as a WebP image'),
  (b'%PDF', 'a PDF document'),
  (b'\x89HDF\r\n', 'an HDF5 file'),
  (b'\x1f\x8b', 'a gzip archive'),
  (b'BZh', 'a bzip2 archive'),
  (b'\xfd7zXZ', 'an xz archive'),
  (b'\x80\x02', _PICKLE),
  (b'\x80\x03', _PICKLE),
  (b'\x80\x04', _PICKLE),
  (b'\x80\x05', _PICKLE),
)


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


def partial(path: pathlib.Path) -> list[pathlib.Path]:
  """Files that `write_atomically` was making for `path` when it was killed."""
  hidden = re.compile(rf'\.{re.escape(path.name)}\.\w{{8}}')
  beside = path.parent.iterdir()
  return [p for p in beside if hidden.fullmatch(p.name) and p.is_file()]


def kind(path: str | os.PathLike[str]) -> str:
  """What a file is by its first bytes, whatever it is called: `a PNG image`."""
  if os.path.isdir(path):
    return 'a folder'
  try:
    with open(path, 'rb') as file:
      head = file.read(_HEAD)
  except OSError as error:
    return f'not readable ({error.strerror})'
  for start, name in _KINDS:
    if head.startswith(start):
      return name
  if not head:
    return 'an empty file'
  return 'a text file' if _is_text(head) else 'a file of an unknown kind'


def _is_text(head: bytes) -> bool:
  text = head.decode('utf-8', 'ignore')
  # The last character may be cut in two.
  whole = len(text.encode()) > len(head) - 4
  return whole and all(c.isprintable() or c.isspace() for c in text)


def reason(error: BaseException) -> str:
  """One short line for why an archive cannot be read."""
  if 'pickle' in str(error):  # NumPy's advice is to load it unsafely
    return 'it holds Python objects, which are never loaded'
  return one_line(error)


def one_line(error: BaseException) -> str:
  """What an exception says, short and in one line; its type if nothing."""
  return ' '.join(str(error).split())[:120] or type(error).__name__


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
