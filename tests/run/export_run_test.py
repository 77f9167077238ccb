"""A set as image files: what is read back is what its pictures show."""

import numpy as np
import pytest

from dd_jax import artifact
from dd_jax.artifact import Artifact
from dd_jax.data import fitting, folder
from dd_jax.run.export import read_folder, write_folder
from dd_jax.types import DistilledData, UserError


def made(names=('ten', 'nine', 'a b'), channels=3):
  rng = np.random.default_rng(0)
  real = rng.integers(0, 256, (30, 4, 5, channels), np.uint8)
  image = 2 * rng.normal(size=(6, 4, 5, channels)).astype(np.float32)
  label = np.repeat(np.eye(3, dtype=np.float32), 2, 0) - 1 / 3
  metadata = {'class_names': list(names), 'label_encoding': 'centred'}
  fitted = fitting.fit('standardise', real)
  return Artifact(DistilledData(image, label), fitted, None, metadata)


@pytest.mark.parametrize('channels', [1, 3])
def test_a_folder_is_read_as_the_pictures_of_the_set(channels, tmp_path):
  held = made(channels=channels)
  paths = write_folder(held, tmp_path / 'new')
  assert [p.parent.name for p in paths] == ['ten'] * 2 + ['nine'] * 2 + [
    'a b'
  ] * 2
  found = folder.read(tmp_path / 'new')
  order = [held.class_names.index(name) for name in found.class_names]
  for label, own in enumerate(order):
    np.testing.assert_array_equal(
      found.train.image[found.train.label == label],
      held.image_uint8[2 * own : 2 * own + 2],
    )


def test_what_is_there_is_left_alone(tmp_path):
  (tmp_path / 'a.txt').write_text('mine')
  for place in (tmp_path, tmp_path / 'a.txt'):
    with pytest.raises(UserError, match='new or an empty folder'):
      write_folder(made(), place)
  assert [p.name for p in tmp_path.iterdir()] == ['a.txt']


@pytest.mark.parametrize('name', ['a/b', '..', '.hidden', '', '/tmp'])
def test_names_that_lead_elsewhere_are_refused(name, tmp_path):
  with pytest.raises(UserError, match='cannot name a folder'):
    write_folder(made(('x', name, 'y')), tmp_path / 'new')
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('channels', [1, 3])
def test_a_folder_becomes_a_set_again(channels, tmp_path):
  held = made(channels=channels)
  write_folder(held, tmp_path / 'new')
  back = read_folder(tmp_path / 'new', held)
  np.testing.assert_array_equal(back.image_uint8, held.image_uint8)
  np.testing.assert_allclose(back.data.label, held.data.label, atol=1e-6)
  assert back.class_names == held.class_names
  # What a picture clips is lost, and nothing else.
  pixel = np.asarray(held.preprocessing.invert(held.data.image))
  again = np.asarray(back.preprocessing.invert(back.data.image))
  assert np.abs(again - np.clip(pixel, 0, 1)).max() <= 0.5 / 255 + 1e-6
  artifact.save(tmp_path / 'back.npz', back)
  stored = artifact.load(tmp_path / 'back.npz')
  np.testing.assert_array_equal(stored.data.image, back.data.image)


def test_a_folder_of_another_set_is_refused(tmp_path):
  write_folder(made(('a', 'b', 'c')), tmp_path / 'new')
  with pytest.raises(UserError, match='are a, b, c; must be ten, nine, a b'):
    read_folder(tmp_path / 'new', made())
  with pytest.raises(UserError, match='are 4 x 5 x 3; must be 4 x 5 x 1'):
    read_folder(tmp_path / 'new', made(('a', 'b', 'c'), channels=1))
