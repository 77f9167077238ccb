"""Columns of coded images and labels, as Hugging Face's `datasets` keeps them.

Parquet files, and folders of `save_to_disk`; both read by pyarrow alone.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dd_jax.data import coded, images, numbering
from dd_jax.data.depth import Range
from dd_jax.data.optional import imported
from dd_jax.data.raw import Raw
from dd_jax.types import UserError

_IMAGES = ('image', 'img', 'images')
_LABELS = ('label', 'labels', 'fine_label', 'target')
_TEST = ('test', 'validation', 'valid', 'val')  # the first that there is
_MARKS = ('dataset_dict.json', 'state.json')  # of save_to_disk


def is_saved(path: str) -> bool:
  """Whether a folder was made by `save_to_disk`."""
  return any(os.path.isfile(os.path.join(path, mark)) for mark in _MARKS)


def read_parquet(
  path: str, image_size: int | None = None, value_range: Range | None = None
) -> Raw:
  """Reads a Parquet file with a column of images and one of labels.

  Args:
    path: of the file.
    image_size: see `coded.read`.
    value_range: the values of black and of white; by default found.

  Raises:
    UserError: the file is damaged or holds something else.
  """
  parquet = imported('pyarrow.parquet', path, 'parquet')
  with _readable(path):
    found = parquet.read_table(path)
  return _raw(path, [found], image_size, value_range)


def read_saved(
  path: str, image_size: int | None = None, value_range: Range | None = None
) -> Raw:
  """Reads a folder that `save_to_disk` made, of one split or of several.

  Args:
    path: the folder.
    image_size: see `coded.read`.
    value_range: the values of black and of white; by default found.

  Raises:
    UserError: a file is missing, damaged or holds something else.
  """
  with _readable(path):
    splits = _splits(path)
    tests = [s for s in _TEST if s in splits]
    tables = [_saved(splits[s]) for s in ('train', *tests[:1])]
  notes = tuple(f'the split {s!r} is not used' for s in tests[1:])
  if tests and tests[0] != 'test':
    notes = (f'the split {tests[0]!r} serves as the test split', *notes)
  raw = _raw(path, tables, image_size, value_range)
  return raw._replace(notes=(*notes, *raw.notes))


def _splits(path: str) -> dict[str, str]:
  """The folder of each split; of a single one it is `path` itself."""
  index = os.path.join(path, 'dataset_dict.json')
  if not os.path.isfile(index):
    return {'train': path}
  names = _json(index)['splits']
  if 'train' not in names:
    raise UserError(f'{path} has no train split; it has {", ".join(names)}')
  return {name: os.path.join(path, name) for name in names}


def _saved(folder: str) -> Any:
  """The table in the Arrow files of one split."""
  pyarrow = imported('pyarrow', folder, 'parquet')
  parts = []
  for entry in _json(os.path.join(folder, 'state.json'))['_data_files']:
    # No path of the file's own leads out of its folder.
    name = os.path.basename(entry['filename'])
    with pyarrow.OSFile(os.path.join(folder, name), 'rb') as file:
      parts.append(pyarrow.ipc.open_stream(file).read_all())
  return pyarrow.concat_tables(parts)


def _raw(
  path: str,
  tables: Sequence[Any],
  image_size: int | None,
  value_range: Range | None,
) -> Raw:
  first = tables[0]
  image = _column(path, first.column_names, _IMAGES)
  label = _column(path, first.column_names, _LABELS)
  for table in tables[1:]:
    _column(path, table.column_names, (image,))
    _column(path, table.column_names, (label,))
  kinds = numbering.numbered(
    [(f'{path}: {label}', np.asarray(t.column(label))) for t in tables],
    _class_names(first, label),
  )
  splits = [
    coded.Files(_stored(path, image, table), numbers.tolist())
    for table, numbers in zip(tables, kinds.labels, strict=True)
  ]
  found = coded.read(path, splits, image_size, value_range)
  notes = (note.removeprefix(f'{path}: ') for note in kinds.notes)
  return found._replace(
    name=os.path.splitext(os.path.basename(os.path.abspath(path)))[0],
    class_names=kinds.names,
    notes=(f'{image} are the images, {label} the labels', *found.notes, *notes),
  )


def _column(path: str, there: Sequence[str], usual: Sequence[str]) -> str:
  """The one column that is there of those that are usual."""
  found = [name for name in usual if name in there]
  if len(found) != 1:
    what = f'{" and ".join(found)}; keep' if found else 'no column'
    raise UserError(
      f'{path} has {what} {" or ".join(usual)}; its columns are '
      f'{", ".join(there[:8])}'
    )
  return found[0]


def _stored(path: str, name: str, table: Any) -> list[images.Stored]:
  """The coded images of a column."""
  found = []
  for i, cell in enumerate(table.column(name).to_pylist()):
    content = cell.get('bytes') if isinstance(cell, Mapping) else cell
    if not isinstance(content, bytes):
      raise UserError(
        f'{path}: row {i} of {name} holds no PNG or JPEG image; save images, '
        'not paths or lists of numbers'
      )
    found.append(images.Stored(f'{path}: image {i}', content))
  return found


def _class_names(table: Any, label: str) -> tuple[str, ...] | None:
  """The names that `datasets` keeps beside a column, or None."""
  metadata = table.schema.metadata or {}
  about = json.loads(metadata.get(b'huggingface', b'{}'))
  feature = about.get('info', {}).get('features', {}).get(label, {})
  names = feature.get('names')
  return None if names is None else tuple(map(str, names))


def _json(path: str) -> Any:
  with open(path, encoding='utf-8') as file:
    return json.load(file)


@contextlib.contextmanager
def _readable(path: str) -> Iterator[None]:
  """Says in one line what pyarrow or JSON cannot read."""
  try:
    yield
  except UserError:
    raise
  except (OSError, ValueError, KeyError, TypeError) as e:
    raise UserError(
      f'{path} is no readable table of images; it may be truncated or damaged '
      f'({" ".join(str(e).split())[:120]})'
    ) from e
