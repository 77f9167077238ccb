"""Loading a data set by name, from a file or from a folder."""

import difflib
import os
import re
from collections.abc import Sequence

from dd_jax.data import (
  builders,
  dataset,
  embedded,
  folder,
  images,
  npz,
  originals,
)
from dd_jax.data.dataset import Raw
from dd_jax.files import kind
from dd_jax.types import UserError

EMBEDDED = {'digits': embedded.digits}
_TFDS_NAME = re.compile(r'[a-z][a-z\d_]*(/[\w.-]+)?(:[\d.*]+)?')


def load(
  name_or_path: str | os.PathLike[str],
  *,
  data_dir: str | None = None,
  image_size: int | None = None,
  validation: int | float | None = None,
  seed: int = 0,
) -> dataset.Dataset:
  """Loads a data set and holds out its validation split.

  Args:
    name_or_path: a name (see `names`), a `.npz` file or an image folder. A
      name wins over a folder of the same name: write `./mnist` for that.
    data_dir: where TFDS keeps its data; by default TFDS's own choice.
    image_size: scale the shorter side to this many pixels and crop the centre.
    validation: a count, or a fraction below 1; by default a tenth of the
      training examples, at most 5,000, and at least one of each class.
    seed: chooses the validation examples.

  Raises:
    UserError: one line that names what is wrong and what is allowed.
  """
  raw = _read(os.fspath(name_or_path), data_dir, image_size)
  return dataset.assemble(raw, validation=validation, seed=seed)


def names() -> tuple[str, ...]:
  """The data sets that `load` knows by name and can get by itself."""
  return (*EMBEDDED, *originals.ORIGINALS)


def _read(name: str, data_dir: str | None, image_size: int | None) -> Raw:
  images.check_size(image_size)
  if name in EMBEDDED:
    return _resized(EMBEDDED[name](), image_size)
  if name in originals.ORIGINALS:
    return _resized(_original(name, data_dir), image_size)
  if name.endswith('.npz'):
    return _resized(npz.read(name), image_size)
  if os.path.isdir(name):
    return folder.read(name, image_size=image_size)
  if os.path.exists(name):
    raise UserError(
      f'{name} is {kind(name)}, and neither a .npz file nor an image folder'
    )
  return _prepared(name, data_dir, image_size)


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


def _prepared(name: str, data_dir: str | None, image_size: int | None) -> Raw:
  """Reads any other TFDS builder, from an already prepared data_dir."""
  if not _TFDS_NAME.fullmatch(name):
    is_path = not re.fullmatch(r'[\w-]+', name)
    raise UserError(
      f'{name!r}: no such file or folder' if is_path else _unknown(name)
    )
  try:
    made = builders.builder(name, data_dir)
  except LookupError as e:
    raise UserError(_unknown(name)) from e
  return builders.read(name, made, image_size=image_size)


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
