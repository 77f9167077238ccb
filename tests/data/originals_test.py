import functools
import gzip
import hashlib
import http.server
import io
import os
import struct
import sys
import tarfile
import threading

import numpy as np
import pytest
import scipy.io

from dd_jax.data import builders, download, load, originals
from dd_jax.types import UserError


class _Handler(http.server.SimpleHTTPRequestHandler):
  """Serves a folder; `short` sends half of what it promises; keeps no log."""

  def do_GET(self):
    self.server.asked.append(self.path)
    if 'short' not in self.path:
      return super().do_GET()
    with open(self.translate_path(self.path.replace('short/', '')), 'rb') as f:
      content = f.read()
    self.send_response(200)
    self.send_header('Content-Length', str(len(content)))
    self.end_headers()
    self.wfile.write(content[: len(content) // 2])

  def log_message(self, *args):
    pass


@pytest.fixture
def server(tmp_path):
  """`(folder, address, addresses asked for)` of a local HTTP server."""
  folder = tmp_path / 'served'
  folder.mkdir()
  handler = functools.partial(_Handler, directory=folder)
  httpd = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
  httpd.asked = []
  thread = threading.Thread(target=httpd.serve_forever, daemon=True)
  thread.start()
  yield folder, f'http://127.0.0.1:{httpd.server_port}/', httpd.asked
  httpd.shutdown()
  httpd.server_close()


def _image(n, shape):
  return np.random.RandomState(n).randint(0, 256, (n, *shape)).astype(np.uint8)


def _label(n, k=10):
  return (np.arange(n) % k).astype(np.uint8)


def _idx_files(folder):
  for prefix, n in (('train', 50), ('t10k', 20)):
    head = struct.pack('>4i', 2051, n, 28, 28)
    content = head + _image(n, (28, 28)).tobytes()
    with gzip.open(folder / f'{prefix}-images-idx3-ubyte.gz', 'w') as f:
      f.write(content)
    with gzip.open(folder / f'{prefix}-labels-idx1-ubyte.gz', 'w') as f:
      f.write(struct.pack('>2i', 2049, n) + _label(n).tobytes())


def _tar_file(path, members):
  with tarfile.open(path, 'w:gz') as archive:
    for name, content in members.items():
      info = tarfile.TarInfo(name)
      info.size = len(content)
      archive.addfile(info, io.BytesIO(content))


def _records(n, *labels):
  image = _image(n, (32, 32, 3)).transpose(0, 3, 1, 2).reshape(n, -1)
  return np.concatenate([*(x[:, None] for x in labels), image], 1).tobytes()


def _cifar10_files(folder):
  names = [f'data_batch_{i}' for i in range(1, 6)] + ['test_batch']
  members = {
    f'cifar-10-batches-bin/{name}.bin': _records(20, _label(20))
    for name in names
  }
  text = '\n'.join(f'name{i}' for i in range(10)) + '\n\n'
  members['cifar-10-batches-bin/batches.meta.txt'] = text.encode()
  _tar_file(folder / 'cifar-10-binary.tar.gz', members)


def _cifar100_files(folder):
  fine = _label(200, 100)
  inside = 'cifar-100-binary/'
  members = {
    f'{inside}{s}.bin': _records(200, fine // 5, fine)
    for s in ('train', 'test')
  }
  for key, k in (('fine', 100), ('coarse', 20)):
    text = '\n'.join(f'{key}{i}' for i in range(k))
    members[f'{inside}{key}_label_names.txt'] = text.encode()
  _tar_file(folder / 'cifar-100-binary.tar.gz', members)


def _svhn_files(folder):
  for split, n in (('train', 50), ('test', 20)):
    label = np.where(_label(n) == 0, 10, _label(n))[:, None]
    image = np.moveaxis(_image(n, (32, 32, 3)), 0, -1)
    path = folder / f'{split}_32x32.mat'
    scipy.io.savemat(path, {'X': image, 'y': label})


FAKES = {
  'mnist': _idx_files,
  'fashion_mnist': _idx_files,
  'cifar10': _cifar10_files,
  'cifar100': _cifar100_files,
  'svhn_cropped': _svhn_files,
}


def _sha256(path):
  return hashlib.sha256(path.read_bytes()).hexdigest()


def _redirect(monkeypatch, name, folder, *bases):
  """Makes `load` fetch fake originals from `bases`."""
  real = originals.ORIGINALS[name]
  files = tuple(
    download.File(
      f.name, _sha256(folder / f.name), tuple(b + f.name for b in bases)
    )
    for f in real.files
  )
  fake = real._replace(files=files)
  monkeypatch.setitem(originals.ORIGINALS, name, fake)


@pytest.mark.parametrize('name', FAKES)
def test_originals_to_official_builder_and_back(
  name, server, tmp_path, monkeypatch
):
  folder, address, asked = server
  FAKES[name](folder)
  _redirect(monkeypatch, name, folder, address)
  data_dir = str(tmp_path / 'tfds')
  data = load.load(name, data_dir=data_dir, validation=0)
  assert len(asked) == len(originals.ORIGINALS[name].files)

  expected = originals.ORIGINALS[name].read(str(folder))
  for split, arrays in (('train', data.train), ('test', data.test)):
    columns = expected.splits[split]
    order = np.lexsort(arrays.image.reshape(len(arrays.image), -1).T)
    want = np.asarray(columns['image'])
    wanted = np.lexsort(want.reshape(len(want), -1).T)
    np.testing.assert_array_equal(arrays.image[order], want[wanted])
    if name != 'cifar10':  # Its five fake batches repeat the same images.
      np.testing.assert_array_equal(
        arrays.label[order], np.asarray(columns['label'])[wanted]
      )
  names = expected.names.get('label')
  assert names is None or data.class_names == tuple(names)

  again = load.load(name, data_dir=data_dir, validation=0)
  assert again.provenance == data.provenance
  assert len(asked) == len(originals.ORIGINALS[name].files)
  assert 'tensorflow' not in sys.modules


def test_pixels_and_labels_are_where_they_belong(tmp_path):
  _cifar100_files(tmp_path)
  contents = originals.read_cifar100(str(tmp_path))
  train = contents.splits['train']
  np.testing.assert_array_equal(train['image'], _image(200, (32, 32, 3)))
  np.testing.assert_array_equal(train['label'], _label(200, 100))
  np.testing.assert_array_equal(train['coarse_label'], _label(200, 100) // 5)
  assert contents.names['label'][99] == 'fine99' and train['id'][3] == (
    'train_00003'
  )
  _svhn_files(tmp_path)
  svhn = originals.read_svhn(str(tmp_path)).splits['test']
  np.testing.assert_array_equal(svhn['label'], _label(20))
  np.testing.assert_array_equal(svhn['image'], _image(20, (32, 32, 3)))


def _file(folder, *urls, name='a.bin', content=b'x' * 3000):
  (folder / name).write_bytes(content)
  return download.File(name, _sha256(folder / name), urls)


def test_mirrors_are_tried_in_turn_and_the_cache_is_checked(server, tmp_path):
  folder, address, asked = server
  urls = (address + 'gone/a.bin', address + 'short/a.bin', address + 'a.bin')
  file = _file(folder, *urls)
  cache = tmp_path / 'cache'
  path = download.fetch(file, str(cache))
  assert open(path, 'rb').read() == b'x' * 3000 and len(asked) == 3
  download.fetch(file, str(cache))
  assert len(asked) == 3
  (cache / 'a.bin').write_bytes(b'damaged')
  download.fetch(file, str(cache))
  assert len(asked) == 6
  assert os.listdir(cache) == ['a.bin']


@pytest.mark.parametrize(
  ('where', 'message'),
  [
    ('gone/a.bin', 'HTTP 404'),
    ('short/a.bin', r'broken off after 1,500 of 3,000 bytes'),
    ('other.bin', 'checksum mismatch'),
  ],
)
def test_bad_downloads_get_one_clear_line(where, message, server, tmp_path):
  folder, address, _ = server
  (folder / 'other.bin').write_bytes(b'y' * 3000)
  file = _file(folder, address + where)
  cache = tmp_path / 'cache'
  with pytest.raises(UserError, match=message) as error:
    download.fetch(file, str(cache))
  assert '\n' not in str(error.value) and 'a.bin' in str(error.value)
  assert os.listdir(cache) == []


def test_an_earlier_file_survives_a_failed_download(server, tmp_path):
  folder, address, _ = server
  file = _file(folder, address + 'gone/a.bin')
  cache = tmp_path / 'cache'
  cache.mkdir()
  (cache / 'a.bin').write_bytes(b'earlier')
  with pytest.raises(UserError):
    download.fetch(file, str(cache))
  assert (cache / 'a.bin').read_bytes() == b'earlier'


@pytest.mark.parametrize(
  'address', ['http://127.0.0.1:9/', 'https://no-such-host.invalid/']
)
def test_without_a_network_every_address_is_tried_once(
  address, tmp_path, monkeypatch
):
  (tmp_path / 'files').mkdir()
  _idx_files(tmp_path / 'files')
  _redirect(monkeypatch, 'mnist', tmp_path / 'files', address, address)
  tried = []
  urlopen = download.urllib.request.urlopen

  def noted(url, timeout):
    tried.append((url, timeout))
    return urlopen(url, timeout=timeout)

  monkeypatch.setattr(download.urllib.request, 'urlopen', noted)
  with pytest.raises(UserError, match='no connection') as error:
    load.load('mnist', data_dir=str(tmp_path / 'tfds'))
  # The first file is given up on after one try of each of its two addresses.
  assert len(tried) == 2
  assert all(0 < timeout <= 15 for _, timeout in tried)
  assert 'put the file into' in str(error.value)


def test_files_put_there_by_hand_are_used(tmp_path, monkeypatch):
  cache = tmp_path / 'tfds' / 'downloads' / 'mnist'
  cache.mkdir(parents=True)
  _idx_files(cache)
  _redirect(monkeypatch, 'mnist', cache, 'https://no-such-host.invalid/')
  data = load.load('mnist', data_dir=str(tmp_path / 'tfds'))
  assert data.provenance['counts']['test'] == 20


def test_damaged_originals_leave_nothing_prepared(tmp_path, monkeypatch):
  cache = tmp_path / 'tfds' / 'downloads' / 'mnist'
  cache.mkdir(parents=True)
  _idx_files(cache)
  name = 'train-images-idx3-ubyte.gz'
  (cache / name).write_bytes(gzip.compress(b'\0' * 100))
  _redirect(monkeypatch, 'mnist', cache, 'https://no-such-host.invalid/')
  with pytest.raises(UserError, match='are damaged'):
    load.load('mnist', data_dir=str(tmp_path / 'tfds'))
  assert not (tmp_path / 'tfds' / 'mnist').exists()


def test_the_published_addresses_are_https_first():
  for original in originals.ORIGINALS.values():
    for file in original.files:
      assert file.urls[0].startswith('https://') and len(file.sha256) == 64


def test_checksums_are_those_of_tfds():
  made = {
    name: builders.builder(name, None).url_infos for name in originals.ORIGINALS
  }
  for name, infos in made.items():
    known = {i.checksum for i in infos.values()}
    for file in originals.ORIGINALS[name].files:
      assert file.sha256 in known, file.name


def test_unprepared_builders_say_what_to_install(tmp_path, monkeypatch):
  def refuse(*_):
    raise AssertionError('a connection was opened')

  monkeypatch.setattr('socket.socket.connect', refuse)
  with pytest.raises(UserError, match='pip install tensorflow') as error:
    load.load('food101', data_dir=str(tmp_path))
  assert '\n' not in str(error.value)
  with pytest.raises(UserError, match='no image classification'):
    load.load('imdb_reviews', data_dir=str(tmp_path))


@pytest.mark.parametrize(
  ('given', 'near'),
  [
    ('mnits', 'mnist'),
    ('MNIST', 'mnist'),
    ('cifar', 'cifar10'),
    ('svhn', 'svhn_cropped'),
    ('Fashion-MNIST', 'fashion_mnist'),
    ('digit', 'digits'),
    ('food-101', 'food101'),
  ],
)
def test_the_nearest_name_is_suggested(given, near, tmp_path):
  with pytest.raises(UserError, match=f"did you mean '{near}'") as error:
    load.load(given, data_dir=str(tmp_path))
  assert '\n' not in str(error.value)


def test_a_data_dir_that_cannot_be_written(tmp_path, monkeypatch):
  files = tmp_path / 'files'
  files.mkdir()
  _idx_files(files)
  _redirect(monkeypatch, 'mnist', files, 'https://no-such-host.invalid/')
  (tmp_path / 'tfds').mkdir()
  (tmp_path / 'tfds' / 'downloads').write_text('in the way')
  with pytest.raises(UserError, match=r'data_dir=.*cannot be stored'):
    load.load('mnist', data_dir=str(tmp_path / 'tfds'))


def test_the_nearest_tfds_name_is_suggested(tmp_path):
  with pytest.raises(UserError, match="did you mean 'food101'"):
    load.load('food_101', data_dir=str(tmp_path))


def _own_builder(tmp_path, shape=(None, None, 3)):
  """Prepares a tiny set of a user's own, with images of unequal size."""
  import tensorflow_datasets as tfds

  class OwnSet(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    VERSION = tfds.core.Version('1.0.0')

    def _info(self):
      features = {
        'image': tfds.features.Image(shape=shape),
        'label': tfds.features.ClassLabel(names=['a', 'b']),
      }
      return tfds.core.DatasetInfo(
        builder=self,
        features=tfds.features.FeaturesDict(features),
        supervised_keys=('image', 'label'),
      )

    def _generate_examples(self):
      raise NotImplementedError

    def _split_generators(self, dl_manager):
      raise NotImplementedError

  made = OwnSet(data_dir=str(tmp_path), file_format='array_record')
  images = [_image(20, (40 + i, 50, 3))[i] for i in range(20)]
  columns = {'image': images, 'label': _label(20, 2)}
  builders.prepare(made, originals.Contents({'train': columns}))


def test_a_prepared_builder_of_ones_own(tmp_path):
  _own_builder(tmp_path)
  with pytest.raises(UserError, match='--image_size=32'):
    load.load('own_set', data_dir=str(tmp_path))
  data = load.load('own_set', data_dir=str(tmp_path), image_size=16)
  assert data.image_shape == (16, 16, 3) and data.class_names == ('a', 'b')
  assert 'no official test split' in data.provenance['notes'][0]


def test_data_prepared_for_tensorflow_only(tmp_path):
  _own_builder(tmp_path)
  path = tmp_path / 'own_set' / '1.0.0' / 'dataset_info.json'
  text = path.read_text()
  path.write_text(text.replace('array_record', 'tfrecord'))
  with pytest.raises(UserError, match='tfrecord, which only TensorFlow reads'):
    load.load('own_set', data_dir=str(tmp_path))


def test_what_tensorflow_left_is_not_in_the_way(tmp_path, monkeypatch):
  cache = tmp_path / 'downloads' / 'mnist'
  cache.mkdir(parents=True)
  _idx_files(cache)
  _redirect(monkeypatch, 'mnist', cache, 'https://no-such-host.invalid/')
  data = load.load('mnist', data_dir=str(tmp_path))
  path = tmp_path / 'mnist' / '3.0.1' / 'dataset_info.json'
  text = path.read_text().replace('array_record', 'tfrecord')
  path.write_text(text)
  again = load.load('mnist', data_dir=str(tmp_path))
  assert again.provenance == data.provenance and path.read_text() == text
