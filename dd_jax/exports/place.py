"""New folders that are there whole or not at all."""

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from dd_jax.files import full_disk
from dd_jax.types import UserError


def check_new(folder: pathlib.Path) -> None:
  """Refuses a folder that is in use.

  Raises:
    UserError: it is a file, or holds something.
  """
  if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
    raise UserError(f'{folder}: must be a new or an empty folder')


@contextlib.contextmanager
def new_folder(folder: pathlib.Path) -> Iterator[pathlib.Path]:
  """A folder of the same name to write to, which takes its place in the end.

  Raises:
    UserError: the folder is in use, or the disk is full.
  """
  check_new(folder)
  parent = folder.absolute().parent
  parent.mkdir(parents=True, exist_ok=True)
  hidden = pathlib.Path(tempfile.mkdtemp(prefix='.', dir=parent))
  made = hidden / folder.name
  try:
    made.mkdir()
    with full_disk(folder):
      yield made
    os.replace(made, folder)
  finally:
    shutil.rmtree(hidden)
