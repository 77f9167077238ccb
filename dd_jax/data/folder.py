"""Reading an image folder: one folder of PNG or JPEG files per class."""

import os

from dd_jax.data import coded, images
from dd_jax.data.depth import Range
from dd_jax.data.numbering import in_order
from dd_jax.data.raw import Raw
from dd_jax.types import UserError

_ENDINGS = ('.png', '.jpg', '.jpeg')
_TRAIN = 'train'
_TEST = ('test', 'val', 'validation')


def read(
  path: str, image_size: int | None = None, value_range: Range | None = None
) -> Raw:
  """Reads `FOLDER/CLASS/*.png`, or `FOLDER/train/CLASS/*` and `FOLDER/test/`.

  Classes are in alphabetical order, or by number where all are numbers. Images
  become uint8 of one channel where all are grey, and of three otherwise; grey
  of 16 bits becomes float32, see `depth`.

  Args:
    path: the folder.
    image_size: the shorter side is scaled to it and the centre cropped; needed
      where images differ in size.
    value_range: the values of black and of white; by default found.

  Raises:
    UserError: what is wrong with the folder or a file, in one line.
  """
  top, rest, notes = _splits(path)
  names = _classes(top)
  splits = [_files(top, names)]
  if rest is not None:
    splits.append(_files(rest, names, may_lack=True))
  name = os.path.basename(os.path.abspath(path))
  found = coded.read(path, splits, image_size, value_range)
  return found._replace(
    name=name, class_names=names, notes=(*notes, *found.notes)
  )


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
  return in_order(names)


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
) -> coded.Files:
  """All image files with their label, class by class, in order of name."""
  extra = sorted(set(_folders(path)) - set(names))
  if extra:
    raise UserError(
      f'{os.path.join(path, extra[0])}: there is no training class '
      f'{extra[0]!r}; classes are {", ".join(names[:8])}'
    )
  files: list[images.File] = []
  labels = []
  for label, name in enumerate(names):
    found = _images_in(os.path.join(path, name))
    if not found and not may_lack:
      raise UserError(
        f'{os.path.join(path, name)} holds no PNG or JPEG images; every class '
        'folder needs some'
      )
    files += found
    labels += [label] * len(found)
  return coded.Files(files, labels)


def _images_in(path: str) -> list[str]:
  if not os.path.isdir(path):
    return []
  return [
    os.path.join(path, f)
    for f in sorted(os.listdir(path))
    if f.lower().endswith(_ENDINGS) and f[0] not in '._'
  ]
