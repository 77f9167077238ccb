"""A folder that the `datasets` of Hugging Face read."""

import json
import pathlib

from dd_jax.artifact import Artifact
from dd_jax.exports.place import new_folder
from dd_jax.exports.rows import about, notes, rows
from dd_jax.types import UserError

_FILE = 'data/train-00000-of-00001.parquet'


def write_huggingface(held: Artifact, folder: pathlib.Path) -> list[str]:
  """Writes a Parquet file and a card, which `datasets.load_dataset` reads.

  One split, `train`, of the columns of `rows.COLUMNS`; `pixels` are flat, in
  the order height, width, channel.

  Args:
    held: the set.
    folder: a new or an empty one.

  Raises:
    UserError: the folder is in use, or pyarrow is not installed.
  """
  try:
    import pyarrow as arrow
    from pyarrow import parquet
  except ImportError:
    raise UserError(
      '--format=huggingface: needs pyarrow: pip install "dd_jax[parquet]"'
    ) from None
  numbers = arrow.list_(arrow.float32())
  picture = arrow.struct([('bytes', arrow.binary()), ('path', arrow.string())])
  found = list(rows(held))
  table = arrow.table(
    {
      'image': arrow.array(
        [{'bytes': row.image, 'path': None} for row in found], picture
      ),
      'label': arrow.array([row.label for row in found], arrow.int64()),
      'pixels': arrow.array([row.pixels.ravel() for row in found], numbers),
      'target': arrow.array([row.target for row in found], numbers),
    }
  )
  with new_folder(folder) as made:
    (made / 'data').mkdir()
    parquet.write_table(table, made / _FILE)
    (made / 'README.md').write_text(_card(held), 'utf-8')
  return notes(held)


def _card(held: Artifact) -> str:
  """The front matter that tells `datasets` the columns, and the text."""
  # JSON is YAML.
  names = {str(i): name for i, name in enumerate(held.class_names)}
  features = [
    {'name': 'image', 'dtype': 'image'},
    {'name': 'label', 'dtype': {'class_label': {'names': names}}},
    {'name': 'pixels', 'sequence': 'float32'},
    {'name': 'target', 'sequence': 'float32'},
  ]
  front = {
    'configs': [
      {
        'config_name': 'default',
        'data_files': [{'split': 'train', 'path': 'data/train-*'}],
      }
    ],
    'dataset_info': {'features': features},
  }
  return f'---\n{json.dumps(front, indent=2)}\n---\n\n{about(held)}\n'
