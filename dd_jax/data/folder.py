"""Reading an image folder: one folder of PNG or JPEG files per class."""

import os
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import NamedTuple, TypeVar

import numpy as np

from dd_jax.data import depth, images
from dd_jax.data.depth import Range
from dd_jax.data.numbering import in_order
from dd_jax.data.raw import Arrays, Raw
from dd_jax.types import UserError

_T = TypeVar('_T')
_ENDINGS = ('.png', '.jpg', '.jpeg')
_TRAIN = 'train'
_TEST = ('test', 'val', 'validation')


class _Split(NamedTuple):
  """One split: its files and, of each, class number and header."""

  files: list[str]
  labels: list[int]
  headers: list[images.Header]


def read(
  path: str | os.PathLike[str],
  *,
  image_size: int | None = None,
  value_range: Range | None = None,
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
  path = os.fspath(path)
  if not os.path.isdir(path):
    raise UserError(f'{path}: no such folder')
  top, rest, notes = _splits(path)
  names = _classes(top)
  splits = [_split(top, names)]
  if rest is not None:
    splits.append(_split(rest, names, may_lack=True))
  headers = [h for split in splits for h in split.headers]
  _check_alike(path, splits, image_size)
  decoded = [
    _decoded(split, _is_grey(headers), image_size)
    for split in splits
    if split.files
  ]
  name = os.path.basename(os.path.abspath(path))
  given = [np.stack([d.pixels for d in part]) for part in decoded]
  black = depth.scaled(name, given, value_range)
  train, *test = (
    Arrays(image, np.array(split.labels, np.int32))
    for image, split in zip(black.images, splits, strict=False)
  )
  if any(h.cut for h in headers):
    _check_cut(path, max(int(x.max()) for x in given))
  told = (*notes, *_told(headers, decoded), *black.notes)
  return Raw(name, train, test[0] if test else None, names, told, black.range)


def _is_grey(headers: list[images.Header]) -> bool:
  return all(h.grey for h in headers)


def _check_alike(
  path: str, splits: list[_Split], image_size: int | None
) -> None:
  """Raises where images differ in size, unasked, or in depth."""
  headers = [h for split in splits for h in split.headers]
  if image_size is None:
    images.check_equal(path, {(h.height, h.width) for h in headers})
  files = [f for split in splits for f in split.files]
  first = {h.deep: f for f, h in zip(files, headers, strict=True)}
  if len(first) > 1:
    raise UserError(
      f'{first[True]} is grey of 16 bits and {first[False]} is not; convert '
      'all images to one depth'
    )


def _told(
  headers: list[images.Header], decoded: list[list[images.Decoded]]
) -> Iterator[str]:
  """What was done to some of the images."""
  total = f'of {len(headers):,} images'
  composed = sum(d.composed for part in decoded for d in part)
  if composed:
    yield f'{composed:,} {total} are transparent in places: laid on white'
  grey = sum(h.grey for h in headers)
  if 0 < grey < len(headers):
    yield f'{grey:,} {total} are grey: made three equal channels'
  cut = sum(h.cut for h in headers)
  if cut:
    yield f'{cut:,} {total} have 16 bits in colour: the upper 8 are read'


def _check_cut(path: str, largest: int) -> None:
  """Raises where the bits that are read leave the images dark."""
  if largest < 128:
    raise UserError(
      f'{path}: the upper 8 of 16 bits of colour, which are read, reach '
      f'{largest} of 255; give 8 bits, or an .npz'
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


def _split(path: str, names: tuple[str, ...], may_lack: bool = False) -> _Split:
  found = _files(path, names, may_lack)
  files = [f for f, _ in found]
  return _Split(files, [y for _, y in found], _map(images.header, files))


def _decoded(
  split: _Split, grey: bool, size: int | None
) -> list[images.Decoded]:
  return _map(lambda f: images.decode(f, grey=grey, size=size), split.files)


def _map(function: Callable[[str], _T], paths: list[str]) -> list[_T]:
  # Decoding releases the GIL.
  with futures.ThreadPoolExecutor() as pool:
    return list(pool.map(function, paths))
