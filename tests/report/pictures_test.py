"""Grids against placement by hand; colours; writing."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dd_jax.report import pictures
from dd_jax.types import UserError


def _images(n: int, h: int, w: int, c: int) -> np.ndarray:
  rng = np.random.default_rng(n * h + w * c)
  return rng.integers(0, 256, (n, h, w, c)).astype(np.uint8)


def _by_hand(
  images: np.ndarray, columns: int, scale: int, gap: int
) -> np.ndarray:
  n, h, w, c = images.shape
  columns = min(columns, n)
  rows = -(-n // columns)
  height, width = h * scale + gap, w * scale + gap
  out = np.full((rows * height - gap, columns * width - gap, 3), 7, np.uint8)
  for i in range(n):
    for y in range(h * scale):
      for x in range(w * scale):
        at = (i // columns * height + y, i % columns * width + x)
        out[at] = images[i, y // scale, x // scale, : 3 if c > 1 else 1]
  return out


@pytest.mark.parametrize('c', [1, 3, 4])
@pytest.mark.parametrize(
  ('n', 'columns', 'scale', 'gap'),
  [(1, 10, 1, 0), (7, 3, 2, 1), (6, 3, 1, 2), (5, 9, 3, 4)],
)
def test_grid(n: int, columns: int, scale: int, gap: int, c: int) -> None:
  images = _images(n, 4, 3, c)
  made = pictures.grid(
    images, columns=columns, scale=scale, gap=gap, background=7
  )
  np.testing.assert_array_equal(made, _by_hand(images, columns, scale, gap))


def test_transparent_grid_is_opaque_on_images_only() -> None:
  images = _images(3, 4, 4, 1)
  made = pictures.transparent_grid(images, columns=2, gap=2)
  assert made.shape == (10, 10, 4)
  assert (made[:4, :4, 3] == 255).all()
  assert (made[4:6, :, 3] == 0).all()
  assert (made[6:, 6:, 3] == 0).all()


@pytest.mark.parametrize(
  ('each', 'columns'),
  [(1, 1), (10, 10), (20, 20), (30, 15), (50, 10), (100, 20), (23, 20)],
)
def test_class_columns(each: int, columns: int) -> None:
  assert pictures.class_columns(each) == columns


@pytest.mark.parametrize('each', [2, 10, 23])
def test_every_class_starts_a_row(each: int) -> None:
  images = np.zeros((3 * each, 2, 2, 1), np.uint8)
  images[::each] = 200
  made = pictures.class_grid(images, 3, gap=0)
  rows = -(-each // pictures.class_columns(each))
  assert made.shape[0] == 3 * rows * 2
  assert (made[:: 2 * rows, 0] == 200).all()
  assert (made[:: 2 * rows, 2] == 0).all()


def test_one_image_per_class_runs_on() -> None:
  assert pictures.class_grid(_images(30, 4, 4, 1), 30, gap=0).shape == (
    12,
    40,
    3,
  )


def test_side_by_side() -> None:
  left, right = _images(2, 5, 4, 3)[0], _images(2, 3, 6, 3)[0]
  made = pictures.side_by_side(left, right, gap=2)
  assert made.shape == (5, 12, 3)
  np.testing.assert_array_equal(made[:, :4], left)
  np.testing.assert_array_equal(made[:3, 6:], right)
  assert (made[:, 4:6] == 255).all() and (made[3:, 6:] == 255).all()


@pytest.mark.parametrize('start', [False, True])
@pytest.mark.parametrize(('n', 'k'), [(10, 10), (100, 10), (7, 10), (60, 2)])
def test_overview(n: int, k: int, start: bool) -> None:
  images = _images(n, 8, 8, 1)
  names = tuple(f'c{i}' for i in range(k))
  made = pictures.overview(images, images if start else None, names)
  alone = pictures.overview(images, None, names)
  assert made.dtype == np.uint8
  assert made.shape[1] <= 2400
  assert (made.shape[1] > alone.shape[1]) == start


@pytest.mark.parametrize(
  ('n', 'k', 'side'),
  [(10, 10, 8), (10, 10, 224), (20, 2, 128), (20, 2, 224), (300, 300, 28)],
)
def test_no_overview_is_a_strip(n: int, k: int, side: int) -> None:
  images = np.zeros((n, side, side, 1), np.uint8)
  made = pictures.overview(images, images, tuple(str(i) for i in range(k)))
  assert made.shape[1] <= 2500


def test_shrunk_is_a_mean() -> None:
  images = _images(2, 8, 4, 1)
  made = pictures.shrunk(images, 4)
  assert made.shape == (2, 4, 2, 3)
  blocks = images.reshape(2, 4, 2, 2, 2, 1).mean((2, 4))
  np.testing.assert_allclose(made[..., :1], blocks, atol=1)
  assert pictures.shrunk(images, 8) is images


@pytest.mark.parametrize('channels', [3, 4])
def test_encode_exactly(channels: int) -> None:
  picture = _images(1, 9, 7, channels)[0]
  back = np.asarray(Image.open(io.BytesIO(pictures.encode(picture, 'exact'))))
  np.testing.assert_array_equal(back, picture)


def test_write_png_replaces_whole_files(tmp_path: Path) -> None:
  path = tmp_path / 'a.png'
  path.write_bytes(b'old')
  pictures.write_png(path, _images(1, 4, 4, 3)[0])
  assert Image.open(path).size == (4, 4)
  assert [p.name for p in tmp_path.iterdir()] == ['a.png']


def test_a_failed_write_leaves_what_was_there(
  tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  def full(*_: object) -> None:
    raise OSError(28, 'No space left on device')

  path = tmp_path / 'a.png'
  path.write_bytes(b'old')
  monkeypatch.setattr('os.fsync', full)
  with pytest.raises(UserError, match=r'disk .* is full'):
    pictures.write_png(path, _images(1, 4, 4, 3)[0])
  assert path.read_bytes() == b'old'
  assert [p.name for p in tmp_path.iterdir()] == ['a.png']
