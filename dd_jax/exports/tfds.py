"""A prepared builder of TensorFlow Datasets."""

import io
import pathlib
import re
from typing import Any

import numpy as np

from dd_jax.artifact import Artifact
from dd_jax.exports.place import new_folder
from dd_jax.exports.rows import about, notes, rows
from dd_jax.types import UserError

VERSION = '1.0.0'
_FILES = '{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}'


def write_tfds(held: Artifact, folder: pathlib.Path) -> list[str]:
  """Writes `FOLDER/1.0.0`, which `tfds.builder_from_directory` reads.

  One split, `train`, of the columns of `rows.COLUMNS`; TensorFlow is needed
  neither here nor for `as_data_source`.

  Args:
    held: the set.
    folder: a new or an empty one, whose name becomes the builder's.

  Raises:
    UserError: the folder is in use, its name cannot name a builder, or
      array_record is not installed.
  """
  # They take a second to import, and the second is not for every platform.
  import tensorflow_datasets as tfds

  try:
    from array_record.python.array_record_module import ArrayRecordWriter
  except ImportError:
    raise UserError(
      '--format=tfds: needs array_record: pip install array_record'
    ) from None
  name = folder.name
  if not re.fullmatch(r'[a-z]\w*', name):
    raise UserError(
      f'--to={folder}: its last part names the builder; allowed are small '
      'letters, digits and _, a letter first'
    )
  features = _features(held)
  with new_folder(folder) as made:
    place = made / VERSION
    place.mkdir()
    file = place / f'{name}-train.array_record-00000-of-00001'
    sizes, writer = [], ArrayRecordWriter(str(file), 'group_size:1')
    for row in rows(held):
      columns = {**row._asdict(), 'image': io.BytesIO(row.image)}
      content = features.serialize_example(columns)
      writer.write(content)
      sizes.append(len(content))
    writer.close()
    tfds.folder_dataset.write_metadata(
      data_dir=place,
      features=features,
      split_infos=[
        tfds.core.SplitInfo(
          name='train', shard_lengths=[len(sizes)], num_bytes=sum(sizes)
        )
      ],
      filename_template=_FILES,
      description=about(held),
      supervised_keys=('image', 'label'),
      check_data=False,
    )
  return notes(held)


def _features(held: Artifact) -> Any:
  import tensorflow_datasets as tfds

  of = tfds.features
  shape, classes = np.shape(held.data.image)[1:], held.class_names
  return of.FeaturesDict(
    {
      'image': of.Image(shape=shape),
      'label': of.ClassLabel(names=list(classes)),
      'pixels': of.Tensor(shape=shape, dtype=np.float32, encoding='bytes'),
      'target': of.Tensor(shape=(len(classes),), dtype=np.float32),
    }
  )
