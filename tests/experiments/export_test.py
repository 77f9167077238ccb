"""The binary that writes image files: what it says and what it refuses."""

import numpy as np
import pytest

from dd_jax import artifact
from dd_jax.artifact import Artifact
from dd_jax.data import fitting, torch_file
from dd_jax.types import DistilledData


@pytest.fixture
def made(tmp_path) -> str:
  """Two images of two classes, one of them half outside, with soft labels."""
  real = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 1), np.uint8)
  p = fitting.fit('standardise', real)
  pixel = np.full((2, 4, 4, 1), 0.5, np.float32)
  pixel[1, :2] = 3
  image = np.asarray((pixel - p.mean) / p.std)
  label = np.array([[0.9, 0.1], [0.3, 0.7]], np.float32)
  metadata = {'class_names': ['cat', 'dog'], 'label_encoding': 'one-hot'}
  held = Artifact(DistilledData(image, label), p, None, metadata)
  artifact.save(tmp_path / 'd.npz', held)
  return '--artifact=d.npz'


def test_a_folder_of_pictures_and_what_does_not_go_with_it(
  start, made, tmp_path
):
  writes, asks = start('export', made, '--to=out'), start('export', made)
  out, error = writes.communicate(timeout=600)
  assert writes.returncode == 0 and not error, error
  assert '2 images in 2 classes' in out and 'clip 25.0 %' in out
  assert 'labels are soft' in out and 'written: out' in out
  found = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob('*.png'))
  assert found == ['out/cat/0.png', 'out/dog/1.png']
  _, error = asks.communicate(timeout=600)
  assert asks.returncode == 2
  assert error == 'error: --to: missing; see --help\n'


def test_a_format_of_others(start, made, tmp_path):
  writes, fails = (
    start('export', made, f'--to={to}', '--format=pt')
    for to in ('a.pt', 'no/a.pt')
  )
  _, error = fails.communicate(timeout=600)
  assert fails.returncode == 2
  assert error == 'error: --to=no/a.pt: No such file or directory\n'
  out, error = writes.communicate(timeout=600)
  assert not error and 'note: the labels are soft' in out, error
  assert '2 images\n' in out and out.endswith('written: a.pt\n')
  image, label = torch_file.read(tmp_path / 'a.pt')['data'][-1]
  assert image.shape == (2, 1, 4, 4) and label.tolist() == [0, 1]
