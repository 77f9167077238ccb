"""A set as a table: `tfds` and `datasets` read the arrays that it holds."""

import io
import json
import re
import sys

import numpy as np
import pytest
from PIL import Image

from dd_jax.exports.huggingface import write_huggingface
from dd_jax.exports.rows import about
from dd_jax.exports.tfds import write_tfds
from dd_jax.types import UserError


def assert_holds(held, image, label, pixels, target):
  np.testing.assert_array_equal(image, held.image_uint8)
  np.testing.assert_array_equal(label, [0, 0, 1, 1, 2, 2])
  np.testing.assert_array_equal(target, held.data.label)
  own = held.preprocessing
  again = (np.asarray(pixels) - own.mean) / own.std
  np.testing.assert_allclose(again, held.data.image, atol=1e-5)


@pytest.mark.parametrize('channels', [1, 3])
def test_a_builder(made, channels, tmp_path):
  import tensorflow_datasets as tfds

  held = made(soft=True, channels=channels)
  assert write_tfds(held, tmp_path / 'cats_2') == []
  builder = tfds.builder_from_directory(tmp_path / 'cats_2' / '1.0.0')
  assert builder.name == 'cats_2'
  assert builder.info.features['label'].names == ['cat', 'dog', 'eel']
  assert '- method: "mtt"' in builder.info.description
  rows = list(builder.as_data_source('train'))
  columns = (np.stack([row[k] for row in rows]) for k in rows[0])
  named = dict(zip(rows[0], columns, strict=True))
  assert_holds(held, **named)


@pytest.mark.parametrize('sizes', [None, np.float32(0.5), np.ones((2, 3))])
def test_a_card_tells_the_step_sizes_that_there_are(made, sizes):
  held = made()
  held = held._replace(data=held.data._replace(step_size=sizes))
  line = f'- step size: {json.dumps(np.asarray(sizes).tolist())}'
  assert (line in about(held)) == (sizes is not None)
  assert ('step size' in about(held)) == (sizes is not None)


@pytest.mark.parametrize(
  'write, package',
  [(write_tfds, 'array_record'), (write_huggingface, 'pyarrow')],
)
def test_a_package_that_is_not_there(
  made, write, package, monkeypatch, tmp_path
):
  for name in [*sys.modules, package]:
    if name.partition('.')[0] == package:
      monkeypatch.setitem(sys.modules, name, None)
  with pytest.raises(UserError, match=f'needs {package}: pip install'):
    write(made(), tmp_path / 'new')
  assert not list(tmp_path.iterdir())


def test_names_that_builders_cannot_have(made, tmp_path):
  for name in ('my-set', '2cats', 'Cats'):
    with pytest.raises(UserError, match='its last part names the builder'):
      write_tfds(made(), tmp_path / name)
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('channels', [1, 3])
def test_parquet_and_a_card(made, channels, tmp_path):
  parquet = pytest.importorskip('pyarrow.parquet')
  held = made(channels=channels)
  write_huggingface(held, tmp_path / 'new')
  (file,) = (tmp_path / 'new' / 'data').iterdir()
  found = parquet.read_table(file).to_pydict()
  shape = held.data.image.shape
  pictures = [Image.open(io.BytesIO(x['bytes'])) for x in found['image']]
  image = np.stack([np.asarray(p).reshape(shape[1:]) for p in pictures])
  pixels = np.array(found['pixels'], np.float32).reshape(shape)
  target = np.array(found['target'], np.float32)
  assert_holds(held, image, found['label'], pixels, target)
  text = (tmp_path / 'new' / 'README.md').read_text()
  front = json.loads(re.match(r'---\n(.*?)\n---\n', text, re.DOTALL)[1])
  names = {f['name'] for f in front['dataset_info']['features']}
  assert names == set(found) and '- mean: [' in text


@pytest.mark.slow
def test_hugging_face_reads_it(made, tmp_path):
  datasets = pytest.importorskip('datasets')
  held = made(soft=True)
  write_huggingface(held, tmp_path / 'new')
  cache = str(tmp_path / 'cache')
  read = datasets.load_dataset(
    str(tmp_path / 'new'), split='train', cache_dir=cache
  )
  assert read.features['label'].names == ['cat', 'dog', 'eel']
  image = np.stack([np.asarray(x) for x in read['image']])
  pixels = np.array(read['pixels']).reshape(held.data.image.shape)
  target = np.array(read['target'], np.float32)
  assert_holds(held, image, read['label'], pixels, target)
