"""A set as image files: what is read back is what its pictures show."""

import numpy as np
import pytest

from dd_jax.artifact import Artifact
from dd_jax.data import fitting, folder
from dd_jax.run.export import write_folder
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
