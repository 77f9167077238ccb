import os
import pickle

import numpy as np
import pytest

from dd_jax.data import load
from dd_jax.types import UserError


class _Trap:
  def __reduce__(self):
    return os.mkdir, ('trap',)


def _save(path, **changes):
  rng = np.random.RandomState(0)
  arrays = {
    'x_train': rng.randint(0, 256, (60, 5, 5), np.uint8),
    'y_train': np.arange(60) % 3,
    'x_test': rng.randint(0, 256, (9, 5, 5), np.uint8),
    'y_test': np.arange(9) % 3,
  }
  arrays.update(changes)
  np.savez_compressed(
    path, **{k: v for k, v in arrays.items() if v is not None}
  )
  return str(path)


def test_round_trip(tmp_path):
  path = _save(tmp_path / 'mine.npz')
  data = load.load(path, validation=6)
  assert data.name == 'mine' and data.class_names == ('0', '1', '2')
  assert data.provenance['counts'] == {
    'train': 54, 'validation': 6, 'test': 9}  # fmt: skip
  with np.load(path) as z:
    np.testing.assert_array_equal(data.test.image[..., 0], z['x_test'])
  assert str(tmp_path) not in repr(data.provenance)


def test_no_test_split_is_held_out_and_noted(tmp_path):
  path = _save(tmp_path / 'a.npz', x_test=None, y_test=None)
  assert 'no official test split' in load.load(path).provenance['notes'][0]


def test_class_names(tmp_path):
  path = _save(tmp_path / 'a.npz', class_names=np.array(['x', 'y', 'z']))
  assert load.load(path).class_names == ('x', 'y', 'z')


KEYS = {
  ('X', 'y'): 'X are the images, y the labels',
  ('x', 'y'): 'x are the images, y the labels',
  ('images', 'labels'): 'images are the images, labels the labels',
  ('data', 'target'): 'data are the images, target the labels',
  ('train_images', 'train_labels'): 'train_images are the images',
  ('X_train', 'y_train'): 'X_train are the images, y_train the labels',
}


@pytest.mark.parametrize('pair', KEYS)
def test_usual_keys(tmp_path, pair):
  label = np.arange(60) % 3
  image = np.tile(np.arange(60, dtype=np.uint8)[:, None, None], (1, 5, 5))
  given = dict(zip(pair, (image, label), strict=True))
  path = tmp_path / 'a.npz'
  np.savez(path, **given, label_names=np.array(['a', 'b', 'c']))
  data = load.load(path)
  assert data.class_names == ('a', 'b', 'c')
  np.testing.assert_array_equal(
    data.train.image[:, 0, 0, 0] % 3, data.train.label
  )
  assert data.provenance['notes'][0].startswith(KEYS[pair])


def test_a_validation_split_and_what_is_left(tmp_path):
  """As MedMNIST has it; without a test split validation serves."""
  image, label = np.zeros((9, 5, 5), np.uint8), np.arange(9) % 3
  three = {
    f'{split}_{what}': value
    for split in ('train', 'val', 'test')
    for what, value in (('images', image), ('labels', label[:, None]))
  }
  path = tmp_path / 'a.npz'
  np.savez(path, **three)
  data = load.load(path)
  assert data.provenance['counts']['test'] == 9
  assert 'val_images, val_labels are not used' in data.provenance['notes']
  np.savez(path, **{k: v for k, v in three.items() if 'test' not in k})
  said = 'val_images and val_labels serve as the test split'
  assert said in load.load(path).provenance['notes']


def test_image_size(tmp_path):
  path = _save(tmp_path / 'a.npz')
  assert load.load(path, image_size=4).image_shape == (4, 4, 1)


def _bytes(tmp_path, content):
  path = tmp_path / 'bad.npz'
  path.write_bytes(content)
  return str(path)


def _good(tmp_path):
  with open(_save(tmp_path / 'good.npz'), 'rb') as f:
    return f.read()


BAD = {
  'missing': (lambda d: str(d / 'none.npz'), 'none.npz: no such file'),
  'empty': (lambda d: _bytes(d, b''), 'is empty'),
  'text': (
    lambda d: _bytes(d, b'hello' * 99), 'text file, and no readable'),
  'truncated': (lambda d: _bytes(d, _good(d)[:-200]), 'may be truncated'),
  'half': (lambda d: _bytes(d, _good(d)[:700]), 'may be truncated'),
  'pickle': (
    lambda d: _bytes(d, pickle.dumps(_Trap())), 'is a pickle, which is never'),
  'objects': (
    lambda d: _save(d / 'a.npz', x_train=np.array([_Trap()], object)),
    'x_train holds Python objects'),
  'no y_train': (
    lambda d: _save(d / 'a.npz', y_train=None),
    'has no y_train; it holds x_test, x_train, y_test'),
  'no x_test': (
    lambda d: _save(d / 'a.npz', x_test=None), 'has y_test but no x_test'),
  'two pairs': (
    lambda d: _save(d / 'a.npz', train_images=np.zeros(3), train_labels=[0]),
    'may mean x_train and y_train, or train_images and train_labels'),
  'two names': (
    lambda d: _save(d / 'a.npz', class_names=['a'], label_names=['b']),
    'class_names and label_names; give one'),
  'no labels': (
    lambda d: _save(d / 'a.npz', y_train=None, x_train=None, images=[0]),
    'has no labels; it holds images, x_test, y_test'),
  'short labels': (
    lambda d: _save(d / 'a.npz', y_train=np.arange(5)), 'one label for each'),
  'bad names': (
    lambda d: _save(d / 'a.npz', class_names=np.arange(3)), 'row of text'),
}  # fmt: skip


@pytest.mark.parametrize('case', BAD)
def test_bad_files_get_one_clear_line(case, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  make, message = BAD[case]
  path = make(tmp_path)
  with pytest.raises(UserError, match=message) as error:
    load.load(path)
  assert '\n' not in str(error.value) and os.path.basename(path) in str(
    error.value
  )
  assert not os.path.exists('trap')


def test_every_flipped_byte_is_an_error_or_harmless(tmp_path):
  good = bytearray(_good(tmp_path))
  for at in np.random.RandomState(0).randint(0, len(good), 60):
    bad = bytearray(good)
    bad[at] ^= 0xFF
    try:
      load.load(_bytes(tmp_path, bytes(bad)))
    except UserError as e:
      assert '\n' not in str(e)


def test_a_bare_array_is_no_archive(tmp_path):
  np.save(tmp_path / 'a.npy', np.zeros(3))
  os.rename(tmp_path / 'a.npy', tmp_path / 'a.npz')
  with pytest.raises(UserError, match='one bare array'):
    load.load(tmp_path / 'a.npz')


def test_real_mnist(real_npz):
  data = load.load(real_npz('mnist'))
  assert data.image_shape == (28, 28, 1)
  assert data.provenance['counts'] == {
    'train': 55_000, 'validation': 5_000, 'test': 10_000}  # fmt: skip
