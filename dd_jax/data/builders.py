"""TFDS without TensorFlow: preparing builders from arrays, reading them."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from dd_jax.data import images, raw
from dd_jax.data.depth import Range
from dd_jax.data.originals import Columns, Contents
from dd_jax.data.raw import Arrays, Given, Raw
from dd_jax.types import UserError

_FORMAT = 'array_record'
_CHUNK = 1000
_TEST = ('test', 'validation')


def names() -> list[str]:
  """The names of all official TFDS builders, of whatever kind."""
  return _tfds().list_builders(with_community_datasets=False)


def builder(name: str, data_dir: str | None) -> Any:
  """The TFDS builder of that name (`name` or `name/config`).

  Prepared in whatever format it is; not prepared yet, it will be in the one
  format that can be read without TensorFlow.

  Args:
    name: any name that TFDS knows or that is prepared in `data_dir`.
    data_dir: where TFDS keeps its data; None for its own choice.

  Raises:
    UserError: TFDS cannot make it, in one line.
    LookupError: there is no such builder.
  """
  tfds = _tfds()
  data_dir = None if data_dir is None else os.path.expanduser(data_dir)
  try:
    made = tfds.builder(name, data_dir=data_dir)
    if made.is_prepared():
      return made
    return tfds.builder(name, data_dir=data_dir, file_format=_FORMAT)
  except tfds.core.DatasetNotFoundError as e:
    raise LookupError(name) from e
  except (ImportError, AssertionError, ValueError, OSError) as e:
    raise UserError(f'TFDS cannot open {name!r}: {_one_line(e)}') from e


def is_readable(made: Any) -> bool:
  """Whether a builder's format can be read without TensorFlow."""
  return made.info.file_format.value == _FORMAT


def prepare(made: Any, contents: Contents) -> None:
  """Prepares an official builder from its originals, in the official order.

  Nothing of this needs TensorFlow or a network. TFDS writes to a folder aside
  and renames it when it is complete.
  """
  for feature, class_names in contents.names.items():
    made.info.features[feature].names = class_names
  # TFDS offers no public way to supply examples to an official builder: its
  # own generators fetch and unpack by TensorFlow.
  made._split_generators = lambda dl_manager: {
    split: _examples(columns, made.info.features)
    for split, columns in contents.splits.items()
  }
  made.download_and_prepare(file_format=_FORMAT)


def read(
  name: str,
  made: Any,
  *,
  image_size: int | None = None,
  value_range: Range | None = None,
) -> Raw:
  """Reads a prepared image-classification builder.

  Args:
    name: of the set, as the user gave it.
    made: its builder.
    image_size: see `images.resize`.
    value_range: the values of black and of white; by default found.

  Raises:
    UserError: it is not prepared, is prepared in a format that only TensorFlow
      reads, or is no image classification.
  """
  image_key, label_key = _keys(name, made.info)
  _check_prepared(name, made)
  tests = [s for s in _TEST if s in made.info.splits]
  if 'train' not in made.info.splits:
    raise UserError(
      f'{name} has no train split; it has {", ".join(made.info.splits)}'
    )
  notes = tuple(f'the split {s!r} is not used' for s in tests[1:])
  if tests and tests[0] != 'test':
    notes = (f'the split {tests[0]!r} serves as the test split', *notes)
  keys = image_key, label_key
  train, *test = (
    Given(
      *_split(name, made, split, keys, image_size),
      f'{split} images',
      f'{split} labels',
    )
    for split in ('train', *tests[:1])
  )
  class_names = tuple(made.info.features[label_key].names)
  found = raw.read(
    name, train, test[0] if test else None, class_names, value_range
  )
  return found._replace(notes=(*notes, *found.notes))


def _examples(
  columns: Columns, features: Any
) -> Iterator[tuple[int, dict[str, Any]]]:
  """Keys and examples: keys 0, 1, ... give the official order of records."""
  for i in range(len(columns['image'])):
    example = {k: columns[k][i] for k in features if k != 'image'}
    pixels = np.squeeze(columns['image'][i])
    # TFDS encodes an array by TensorFlow, and a Pillow image without it.
    yield i, example | {'image': Image.fromarray(pixels)}


def _check_prepared(name: str, made: Any) -> None:
  if not made.is_prepared():
    raise UserError(
      f'{name} is not prepared in {made.data_dir}, and preparing it needs '
      f'TensorFlow: pip install tensorflow, then python -c "import '
      f"tensorflow_datasets as t; t.builder('{name}', "
      f"data_dir='{made.data_dir_root}', file_format='{_FORMAT}')"
      '.download_and_prepare()"'
    )
  if not is_readable(made):
    raise UserError(
      f'{made.data_dir} is stored as {made.info.file_format.value}, which only '
      'TensorFlow reads; '
      f'prepare {name} with file_format={_FORMAT!r} in another data_dir'
    )


def _keys(name: str, info: Any) -> tuple[str, str]:
  """The names of the image and of the label."""
  features = _tfds().features
  keys = info.supervised_keys or ('image', 'label')
  kinds = (features.Image, features.ClassLabel)
  if len(keys) != 2 or not all(
    key in info.features and isinstance(info.features[key], kind)
    for key, kind in zip(keys, kinds, strict=True)
  ):
    raise UserError(
      f'{name} is no image classification: its examples are '
      f'{", ".join(info.features)}'
    )
  return keys


def _split(
  name: str,
  made: Any,
  split: str,
  keys: tuple[str, str],
  image_size: int | None,
) -> Arrays:
  source = made.as_data_source(split=split)
  pixels: list[np.ndarray] = []
  labels: list[int] = []
  for start in range(0, len(source), _CHUNK):
    wanted = range(start, min(start + _CHUNK, len(source)))
    examples: Sequence[dict[str, Any]] = source.__getitems__(wanted)
    labels += [int(e[keys[1]]) for e in examples]
    found = [e[keys[0]] for e in examples]
    if image_size is not None:
      found = [images.resize(image, image_size) for image in found]
    pixels += found
    # At once: a large set of unequal images would not fit into memory.
    images.check_equal(name, {p.shape[:2] for p in (pixels[0], *found)})
  return Arrays(np.stack(pixels), np.asarray(labels))


def _tfds() -> Any:
  # Deferred: it costs a second, and most data need none of it.
  import tensorflow_datasets

  return tensorflow_datasets


def _one_line(error: BaseException) -> str:
  return ' '.join(str(error).split())[:200]
