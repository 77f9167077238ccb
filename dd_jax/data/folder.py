"""Reading an image folder: one folder of PNG or JPEG files per class."""

import os
from collections.abc import Callable
from concurrent import futures
from typing import TypeVar

import numpy as np

from dd_jax.data import dataset, images
from dd_jax.types import UserError

_T = TypeVar('_T')
_ENDINGS = ('.png', '.jpg', '.jpeg')
_TRAIN = 'train'
_TEST = ('test', 'val', 'validation')


def read(
  path: str | os.PathLike[str], *, image_size: int | None = None
) -> dataset.Raw:
  """Reads `FOLDER/CLASS/*.png`, or `FOLDER/train/CLASS/*` and `FOLDER/test/`.

  Classes are in alphabetical order, or by number where all are numbers. Images
  become uint8 of one channel where all are grey, and of three otherwise.

  Args:
    path: the folder.
    image_size: the shorter side is scaled to it and the centre cropped; needed
      where images differ in size.

  Raises:
    UserError: what is wrong with the folder or a file, in one line.
  """
  path = os.fspath(path)
  if not os.path.isdir(path):
    raise UserError(f'{path}: no such folder')
  top, rest, notes = _splits(path)
  names = _classes(top)
  files = _files(top, names)
  test_files = None if rest is None else _files(rest, names, may_lack=True)
  headers = _map(images.header, [f for f, _ in files + (test_files or [])])
  if image_size is None:
    images.check_equal(path, {(h.height, h.width) for h in headers})
  grey = all(h.grey for h in headers)
  train = _arrays(files, grey, image_size)
  test = _arrays(test_files, grey, image_size) if test_files else None
  name = os.path.basename(os.path.abspath(path))
  return dataset.Raw(name, train, test, names, notes)


def _splits(path: str) -> tuple[str, str | None, tuple[str, ...]]:
  """The folder of training classes, that of test classes if any, and notes."""
  inside = _folders(path)
  if _TRAIN not in inside:
    return path, None, ()
  found = [s for s in _TEST if s in inside]
  notes = tuple(f'folder {s}/ is not used' for s in found[1:])
  if found and found[0] != 'test':
    notes = (f'folder {found[0]}/ serves as the test split', *notes)
  test = os.path.join(path, found[0]) if found else None
  return os.path.join(path, _TRAIN), test, notes


def _folders(path: str) -> list[str]:
  with os.scandir(path) as entries:
    names = [e.name for e in entries if e.is_dir() and e.name[0] not in '._']
  if all(n.isdecimal() for n in names):
    return sorted(names, key=int)
  return sorted(names)


def _classes(path: str) -> tuple[str, ...]:
  names = tuple(_folders(path))
  if len(names) < 2:
    raise UserError(
      f'{path} holds {len(names)} class folder{"s" * (len(names) != 1)}; '
      'expected one folder of PNG or JPEG files for each of at least two '
      'classes, or train/ and test/ with such folders'
    )
  return names


def _files(
  path: str, names: tuple[str, ...], may_lack: bool = False
) -> list[tuple[str, int]]:
  """All image files with their label, class by class, in order of name."""
  extra = sorted(set(_folders(path)) - set(names))
  if extra:
    raise UserError(
      f'{os.path.join(path, extra[0])}: there is no training class '
      f'{extra[0]!r}; classes are {", ".join(names[:8])}'
    )
  out = []
  for label, name in enumerate(names):
    found = _images_in(os.path.join(path, name))
    if not found and not may_lack:
      raise UserError(
        f'{os.path.join(path, name)} holds no PNG or JPEG images; every class '
        'folder needs some'
      )
    out += [(f, label) for f in found]
  return out


def _images_in(path: str) -> list[str]:
  if not os.path.isdir(path):
    return []
  return [
    os.path.join(path, f)
    for f in sorted(os.listdir(path))
    if f.lower().endswith(_ENDINGS) and f[0] not in '._'
  ]


def _arrays(
  files: list[tuple[str, int]], grey: bool, size: int | None
) -> dataset.Arrays:
  image = _map(
    lambda f: images.decode(f, grey=grey, size=size), [f for f, _ in files]
  )
  return dataset.Arrays(
    np.stack(image), np.array([label for _, label in files], np.int32)
  )


def _map(function: Callable[[str], _T], paths: list[str]) -> list[_T]:
  # Decoding releases the GIL.
  with futures.ThreadPoolExecutor() as pool:
    return list(pool.map(function, paths))
