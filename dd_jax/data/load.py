"""Loading a data set by name, from a file or from a folder."""

import difflib
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from dd_jax.data import (
  builders,
  choice,
  dataset,
  depth,
  embedded,
  folder,
  hdf5,
  images,
  npz,
  originals,
  pt,
  table,
  text,
)
from dd_jax.data.depth import Range
from dd_jax.data.raw import Raw
from dd_jax.files import kind
from dd_jax.types import UserError

EMBEDDED = {'digits': embedded.digits}
_OF_ARRAYS = {
  '.npz': npz.read,
  '.csv': text.read,
  '.h5': hdf5.read,
  '.hdf5': hdf5.read,
  '.pt': pt.read,
  '.pth': pt.read,
}
_OF_CODED = {'.parquet': table.read_parquet}
FORMATS = (*_OF_ARRAYS, *_OF_CODED)
"""Endings of the files that can be read."""
_TFDS_NAME = re.compile(r'[a-z][a-z\d_]*(/[\w.-]+)?(:[\d.*]+)?')


def load(
  name_or_path: str | os.PathLike[str],
  *,
  data_dir: str | None = None,
  image_size: int | None = None,
  value_range: Range | None = None,
  classes: Sequence[str] = (),
  validation: int | float | None = None,
  seed: int = 0,
) -> dataset.Dataset:
  """Loads a data set and holds out its validation split.

  Args:
    name_or_path: a name (see `names`), a file of one of `FORMATS`, an image
      folder, or one that `save_to_disk` of `datasets` made. A name wins over a
      folder of the same name: write `./mnist` for that.
    data_dir: where TFDS keeps its data; by default TFDS's own choice.
    image_size: scale the shorter side to this many pixels and crop the centre.
    value_range: the values of black and of white; by default found, where
      images are neither uint8 nor floats in [0, 1].
    classes: takes these alone, in this order, by name or by number.
    validation: a count, or a fraction below 1; by default a tenth of the
      training examples, at most 5,000, and at least one of each class.
    seed: chooses the validation examples.

  Raises:
    UserError: one line that names what is wrong and what is allowed.
  """
  ask = _Ask(data_dir, image_size, value_range)
  found = choice.only(_read(os.fspath(name_or_path), ask), classes)
  return dataset.assemble(found, validation=validation, seed=seed)


def names() -> tuple[str, ...]:
  """The data sets that `load` knows by name and can get by itself."""
  return (*EMBEDDED, *originals.ORIGINALS)


class _Ask(NamedTuple):
  """How a set is to be read, see `load`."""

  data_dir: str | None
  image_size: int | None
  value_range: Range | None


def _read(name: str, ask: _Ask) -> Raw:
  images.check_size(ask.image_size)
  depth.check(ask.value_range)
  if name in names():
    _check_own_range(name, ask.value_range)
  if name in EMBEDDED:
    return _resized(EMBEDDED[name](), ask.image_size)
  if name in originals.ORIGINALS:
    return _resized(_original(name, ask.data_dir), ask.image_size)
  if os.path.isdir(name):
    read = table.read_saved if table.is_saved(name) else folder.read
    return read(name, ask.image_size, ask.value_range)
  if _ending(name) in FORMATS:
    return _file(name, ask)
  if os.path.exists(name):
    raise UserError(
      f'{name} is {kind(name)}, and neither an image folder nor one of '
      f'{", ".join(FORMATS)}; save its arrays by '
      'np.savez(FILE, x_train=..., y_train=...)'
    )
  return _prepared(name, ask)


def is_path(name: str) -> bool:
  """Whether a data set is given by file or folder, and not by name."""
  return _ending(name) in FORMATS or os.path.isdir(name)


def _ending(name: str) -> str:
  return os.path.splitext(name)[1].lower()


def _file(name: str, ask: _Ask) -> Raw:
  if not os.path.isfile(name):
    raise UserError(f'{name}: no such file')
  if not os.path.getsize(name):
    raise UserError(f'{name} is empty (0 bytes)')
  ending = _ending(name)
  if ending in _OF_CODED:
    return _OF_CODED[ending](name, ask.image_size, ask.value_range)
  return _resized(_OF_ARRAYS[ending](name, ask.value_range), ask.image_size)


def _check_own_range(name: str, value_range: Range | None) -> None:
  if value_range is not None:
    text = ','.join(f'{x:g}' for x in value_range)
    raise UserError(
      f'range={text}: {name} has a range of its own; state one for data of '
      'your own'
    )


def _original(name: str, data_dir: str | None) -> Raw:
  """Reads what TFDS has prepared; prepares it first where needed."""
  made = builders.builder(name, data_dir)
  cache = os.path.join(made.data_dir_root, 'downloads', name)
  if made.is_prepared() and not builders.is_readable(made):
    # Left by TensorFlow; ours goes beside it.
    beside = os.path.join(made.data_dir_root, 'array_record')
    made = builders.builder(name, beside)
  if not made.is_prepared():
    try:
      found = originals.download(name, originals.ORIGINALS[name], cache)
      builders.prepare(made, found)
    except OSError as e:
      raise UserError(
        f'data_dir={made.data_dir_root}: {name} cannot be stored there '
        f'({e.strerror or e})'
      ) from e
  return builders.read(name, made)


def _prepared(name: str, ask: _Ask) -> Raw:
  """Reads any other TFDS builder, from an already prepared data_dir."""
  if not _TFDS_NAME.fullmatch(name):
    is_word = re.fullmatch(r'[\w-]+', name)
    raise UserError(
      _unknown(name) if is_word else f'{name!r}: no such file or folder'
    )
  try:
    made = builders.builder(name, ask.data_dir)
  except LookupError as e:
    raise UserError(_unknown(name)) from e
  return builders.read(
    name, made, image_size=ask.image_size, value_range=ask.value_range
  )


def _resized(raw: Raw, size: int | None) -> Raw:
  if size is None or raw.train.image.shape[1:3] == (size, size):
    return raw
  return raw._replace(
    train=raw.train._replace(image=images.resize_all(raw.train.image, size)),
    test=raw.test
    and raw.test._replace(image=images.resize_all(raw.test.image, size)),
  )


def _unknown(name: str) -> str:
  near = _nearest(name, names()) or _nearest(name, builders.names())
  hint = f'; did you mean {near!r}?' if near else '.'
  return (
    f'unknown data set {name!r}{hint} Known are {", ".join(names())}; any '
    'image-classification set that TFDS has prepared in data_dir; a .npz file; '
    'an image folder'
  )


def _nearest(name: str, known: Sequence[str]) -> str | None:
  plain = name.lower().replace('-', '_')
  if (whole := re.match(r'\w{3,}', plain)) is not None:
    for candidate in known:
      if candidate.startswith(whole.group()):
        return candidate
  return next(iter(difflib.get_close_matches(plain, known, 1, 0.6)), None)
