"""Pictures of tiles, taken apart."""

import numpy as np
import pytest
from PIL import Image

from dd_jax.released import grid
from dd_jax.types import UserError


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('padding', [0, 2])
def test_every_tile_comes_back(tmp_path, channels, padding):
  rng = np.random.default_rng(0)
  tiles = rng.integers(0, 256, (2, 3, 5, 4, channels), dtype=np.uint8)
  width = [(0, 0), (padding, 0), (padding, 0), (0, 0)]
  rows = [np.concatenate([np.pad(t, width[1:]) for t in r], 1) for r in tiles]
  whole = np.concatenate(rows)
  whole = np.pad(whole, [(0, padding), (0, padding), (0, 0)])
  path = str(tmp_path / 'grid.png')
  Image.fromarray(whole if channels == 3 else whole[..., 0]).save(path)
  found = grid.read(path, (5, 4, channels), padding)
  np.testing.assert_array_equal(found, tiles.reshape(6, 5, 4, channels))


@pytest.mark.parametrize('shape, padding', [((4, 4, 1), 0), ((8, 8, 1), 2)])
def test_a_size_that_tiles_cannot_have(tmp_path, shape, padding):
  path = str(tmp_path / 'grid.png')
  Image.fromarray(np.zeros((10, 12), np.uint8)).save(path)
  with pytest.raises(UserError, match=r'10 x 12 pixels are no grid .*padding'):
    grid.read(path, shape, padding)
