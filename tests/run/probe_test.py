"""What an expert is measured on."""

import pytest

from dd_jax.run.probe import measured_batch


@pytest.mark.parametrize('side', [8, 28, 32, 96, 224, 1024])
@pytest.mark.parametrize('size', [1, 16, 256])
def test_large_images_are_measured_by_few(side, size):
  shape = (side, side, 3)
  batch = measured_batch(size, shape)
  assert min(size, 16) <= batch <= size
  if side <= 32:  # a small batch would tell of other things than its images
    assert batch == size
  assert batch * side * side * 3 <= max(1 << 21, 16 * side * side * 3)
