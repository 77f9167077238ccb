"""Files of other packages: one small set in each format, read back."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from dd_jax.data import load, optional
from dd_jax.types import UserError

N = 30
LABEL = np.arange(N) % 3
NAMES = ['ant', 'bee', 'cat']


def _images(shape=(4, 4)):
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (N, *shape)).astype(np.uint8)


def _check(data, image, names):
  """Every image of the set is one of those given, and of the same class."""
  known = {x.tobytes(): y for x, y in zip(image, LABEL, strict=True)}
  assert data.class_names == tuple(names) and len(known) == N
  assert data.train.image.dtype == np.uint8
  found = 0
  for part in (data.train, data.validation, data.test):
    for x, y in zip(part.image, part.label, strict=True):
      assert known[x.tobytes()] == y
      found += 1
  assert found == N


def _csv(path, head, *, first=True, text=False):
  label = np.array(NAMES)[LABEL] if text else LABEL
  pixels = _images().reshape(N, -1)
  rows = [
    ','.join(map(str, [y, *x] if first else [*x, y]))
    for x, y in zip(pixels.tolist(), label.tolist(), strict=True)
  ]
  path.write_text('\n'.join([*head, *rows]) + '\n')
  return path


HEAD = [f'pixel{i}' for i in range(16)]


@pytest.mark.parametrize('text', [False, True])
@pytest.mark.parametrize(
  ('head', 'first'),
  [
    ([], True),
    ([','.join(['label', *HEAD])], True),
    ([','.join([*HEAD, 'Class'])], False),
  ],
)
def test_csv(tmp_path, head, first, text):
  path = _csv(tmp_path / 'a.csv', head, first=first, text=text)
  data = load.load(path)
  assert data.name == 'a' and data.image_shape == (4, 4, 1)
  _check(data, _images(), NAMES if text else '012')
  assert 'rows of 4 x 4 grey pixels' in data.provenance['notes'][0]


def test_csv_as_excel_writes_it(tmp_path):
  path = _csv(tmp_path / 'a.csv', [','.join(['label', *HEAD])], text=True)
  text = path.read_text()
  for name in NAMES:
    text = text.replace(name, f'"{name}"')
  path.write_text(text, encoding='utf-8-sig')
  _check(load.load(path), _images(), NAMES)


BAD_CSV = {
  'not square': ('label,a,b,c,d,e\n1,2,3,4,5,6\n', 'no square grey image'),
  'no label': ('p,a,b,c,d\n1,2,3,4,5\n', '0 columns of labels'),
  'two labels': ('y,label,b,c,d\n1,2,3,4,5\n', '2 columns of labels'),
  'words': ('label,a,b,c,d\n1,2,x,4,5\n', 'pixels must be numbers'),
  'ragged': ('label,a,b,c,d\n1,2,3\n', 'pixels must be numbers'),
  'head alone': ('label,a,b,c,d\n', 'holds no images'),
  'empty': ('', 'is empty'),
}


@pytest.mark.filterwarnings('ignore:loadtxt')
@pytest.mark.parametrize('case', BAD_CSV)
def test_bad_csv(tmp_path, case):
  content, words = BAD_CSV[case]
  (tmp_path / 'a.csv').write_text(content)
  with pytest.raises(UserError, match=words) as error:
    load.load(tmp_path / 'a.csv')
  assert '\n' not in str(error.value)


def _coded(image):
  buffer = io.BytesIO()
  Image.fromarray(image).save(buffer, 'PNG')
  return buffer.getvalue()


def _table(rows=slice(None), **changes):
  pyarrow = pytest.importorskip('pyarrow')
  columns = {
    'image': [{'bytes': _coded(x), 'path': None} for x in _images()[rows]],
    'label': LABEL[rows].tolist(),
  }
  columns |= changes
  about = {'info': {'features': {'label': {'names': NAMES}}}}
  table = pyarrow.table({k: v for k, v in columns.items() if v is not None})
  return table.replace_schema_metadata({'huggingface': json.dumps(about)})


def _parquet(path, **changes):
  parquet = pytest.importorskip('pyarrow.parquet')
  parquet.write_table(_table(**changes), path)
  return path


def test_parquet(tmp_path):
  data = load.load(_parquet(tmp_path / 'a.parquet'))
  assert data.name == 'a' and data.image_shape == (4, 4, 1)
  _check(data, _images(), NAMES)
  said = 'image are the images, label the labels'
  assert data.provenance['notes'][0] == said
  assert load.load(tmp_path / 'a.parquet', image_size=2).image_shape[0] == 2


BAD_TABLE = {
  'no images': ({'image': None}, 'no column image or img'),
  'two labels': ({'labels': [0] * N}, 'label and labels; keep'),
  'paths': ({'image': ['a.png'] * N}, 'row 0 of image holds no PNG'),
  'no rows': ({'image': [], 'label': []}, 'holds no training images'),
  'damaged': ({'image': [b'x'] * N}, 'a.parquet: image 0 is no readable PNG'),
}


@pytest.mark.parametrize('case', BAD_TABLE)
def test_bad_tables(tmp_path, case):
  changes, words = BAD_TABLE[case]
  with pytest.raises(UserError, match=words) as error:
    load.load(_parquet(tmp_path / 'a.parquet', **changes))
  assert '\n' not in str(error.value)


def test_a_truncated_table(tmp_path):
  path = _parquet(tmp_path / 'a.parquet')
  path.write_bytes(path.read_bytes()[:-100])
  with pytest.raises(UserError, match='no readable table') as error:
    load.load(path)
  assert '\n' not in str(error.value)


def _saved(folder, rows):
  """One split, in two files, as `save_to_disk` writes it."""
  pyarrow = pytest.importorskip('pyarrow')
  folder.mkdir(parents=True)
  table, names = _table(rows), ['data-0.arrow', 'data-1.arrow']
  for name, part in zip(names, (table[:4], table[4:]), strict=True):
    with pyarrow.OSFile(str(folder / name), 'wb') as file:
      with pyarrow.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(part)
  state = {'_data_files': [{'filename': name} for name in names]}
  (folder / 'state.json').write_text(json.dumps(state))
  return folder


def test_a_saved_split(tmp_path):
  data = load.load(_saved(tmp_path / 'mine', slice(None)))
  assert data.name == 'mine'
  _check(data, _images(), NAMES)


def test_saved_splits(tmp_path):
  top = tmp_path / 'mine'
  _saved(top / 'train', slice(9, None))
  _saved(top / 'validation', slice(9))
  splits = {'splits': ['train', 'validation']}
  (top / 'dataset_dict.json').write_text(json.dumps(splits))
  data = load.load(top)
  _check(data, _images(), NAMES)
  np.testing.assert_array_equal(data.test.image[..., 0], _images()[:9])
  assert "'validation' serves as the test" in data.provenance['notes'][0]
  (top / 'train' / 'data-1.arrow').unlink()
  with pytest.raises(UserError, match='no readable table'):
    load.load(top)


def test_hdf5(tmp_path):
  h5py = pytest.importorskip('h5py')
  path = tmp_path / 'a.h5'
  with h5py.File(path, 'w') as file:
    file['images'] = _images((4, 4, 3))
    file['labels'] = [NAMES[y] for y in LABEL]
    file.create_group('about')
  data = load.load(path)
  assert data.image_shape == (4, 4, 3)
  _check(data, _images((4, 4, 3)), NAMES)
  path.write_bytes(path.read_bytes()[:900])
  with pytest.raises(UserError, match='no readable HDF5'):
    load.load(path)


def test_a_reader_that_is_not_installed():
  words = r'a\.h5: reading it needs nobody_has_it: pip install "dd_jax\[hdf5\]"'
  with pytest.raises(UserError, match=words):
    optional.imported('nobody_has_it', 'a.h5', 'hdf5')


@pytest.mark.parametrize('ending', ['pkl', 'mat', 'zip'])
def test_other_files_are_told_a_way(tmp_path, ending):
  path = tmp_path / f'a.{ending}'
  path.write_bytes(b'x')
  with pytest.raises(UserError, match=r'\.csv, .* np\.savez\(FILE') as error:
    load.load(path)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize('ending', load.FORMATS)
def test_a_file_that_is_not_there(ending):
  with pytest.raises(UserError, match=f'none{ending}: no such file'):
    load.load(f'none{ending}')


def test_tensors_of_pytorch(save, tensor):
  """Channels first, as there; a dict by name, or a pair."""
  image = _images((3, 4, 4))
  tensors = (
    tensor(image.reshape(-1) / np.float32(255), image.shape, (48, 16, 4, 1)),
    tensor(LABEL, (N,), (1,)),
  )
  named = {'x_train': tensors[0], 'y_train': tensors[1], 'class_names': NAMES}
  for path, names in ((save(named, 'a.pt'), NAMES), (save(tensors), '012')):
    data = load.load(path)
    assert data.class_names == tuple(names) and data.image_shape == (4, 4, 3)
    assert {k: v for k, v in data.provenance['counts'].items()} == {
      'train': 22, 'validation': 3, 'test': 5,
    }  # fmt: skip
  for wrong in ({'model': {'w': tensors[0]}}, [1, 2], tensors[0]):
    with pytest.raises(UserError, match='neither a dict of tensors'):
      load.load(save(wrong, 'wrong.pt'))
