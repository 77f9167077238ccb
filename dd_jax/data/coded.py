"""PNG and JPEG images, in files or inside of one, become arrays of one form."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from typing import NamedTuple, TypeVar

import numpy as np

from dd_jax.data import depth, images
from dd_jax.data.depth import Range
from dd_jax.data.raw import Arrays, Raw
from dd_jax.types import UserError

_A = TypeVar('_A')
_B = TypeVar('_B')


class Files(NamedTuple):
  """The images of one split.

  Attributes:
    files: paths or contents.
    labels: class numbers.
  """

  files: Sequence[images.File]
  labels: Sequence[int]


def read(
  where: str,
  splits: Sequence[Files],
  image_size: int | None = None,
  value_range: Range | None = None,
) -> Raw:
  """Decodes all images, to one channel where all are grey, else to three.

  Args:
    where: the folder or file, for messages.
    splits: the training images and, where there are any, those of the test.
    image_size: the shorter side is scaled to it and the centre cropped; needed
      where images differ in size.
    value_range: the values of black and of white; by default found.

  Raises:
    UserError: no training images, a damaged one, or several sizes or depths.
  """
  if not splits[0].files:
    raise UserError(f'{where} holds no training images')
  files = [f for split in splits for f in split.files]
  headers = _map(images.header, files)
  if image_size is None:
    images.check_equal(where, {(h.height, h.width) for h in headers})
  _check_depth(files, headers)
  grey = all(h.grey for h in headers)
  decode = lambda f: images.decode(f, grey=grey, size=image_size)
  decoded = [_map(decode, split.files) for split in splits if split.files]
  given = [np.stack([d.pixels for d in part]) for part in decoded]
  if any(h.cut for h in headers):
    _check_cut(where, max(int(x.max()) for x in given))
  black = depth.scaled(where, given, value_range)
  train, *test = (
    Arrays(image, np.array(split.labels, np.int32))
    for image, split in zip(black.images, splits, strict=False)
  )
  said = (note.removeprefix(f'{where}: ') for note in black.notes)
  notes = (*_told(headers, decoded), *said)
  return Raw(where, train, test[0] if test else None, None, notes, black.range)


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


def _check_depth(
  files: Sequence[images.File], headers: Sequence[images.Header]
) -> None:
  """Raises where some images are grey of 16 bits and others are not."""
  first = {h.deep: f for f, h in zip(files, headers, strict=True)}
  if len(first) > 1:
    deep, other = (images.name_of(first[is_deep]) for is_deep in (True, False))
    raise UserError(
      f'{deep} is grey of 16 bits and {other} is not; convert all images to '
      'one depth'
    )


def _check_cut(path: str, largest: int) -> None:
  """Raises where the bits that are read leave the images dark."""
  if largest < 128:
    raise UserError(
      f'{path}: the upper 8 of 16 bits of colour, which are read, reach '
      f'{largest} of 255; give 8 bits, or an .npz'
    )


def _map(function: Callable[[_A], _B], values: Iterable[_A]) -> list[_B]:
  # Decoding releases the GIL.
  with futures.ThreadPoolExecutor() as pool:
    return list(pool.map(function, values))
