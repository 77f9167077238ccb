"""Files of PyTorch's tensors, written without it: read as they were."""

import numpy as np
import pytest

from dd_jax.data import torch_file, torch_writer


@pytest.fixture
def found():
  rng = np.random.default_rng(0)
  return {
    'data': [[rng.normal(size=(2, 3, 4, 5)).astype('f4'), np.arange(2)]],
    'turned': rng.normal(size=(3, 4)).T,
    'scalar': np.array(3, 'f4'),
    'none': np.zeros((0, 3)),
    'bytes': np.arange(3, dtype=np.uint8),
    'flags': np.array([True, False]),
    'big-endian': np.arange(3, dtype='>f8'),
    'plain': ('höher', -300, 2**40, 255, 0, 2.5, True, False, None, []),
  }


def assert_same(read, written):
  if isinstance(written, np.ndarray):
    np.testing.assert_array_equal(read, written, strict=written.dtype.isnative)
    return
  assert type(read) is type(written)
  if isinstance(written, dict):
    assert list(read) == list(written)
    read, written = list(read.values()), list(written.values())
  if not isinstance(written, list | tuple):
    assert read == written
    return
  for a, b in zip(read, written, strict=True):
    assert_same(a, b)


def test_what_is_written_is_read(found, tmp_path):
  torch_writer.write(tmp_path / 't.pt', found)
  assert_same(torch_file.read(tmp_path / 't.pt'), found)
  assert torch_writer.content(found) == (tmp_path / 't.pt').read_bytes()


@pytest.mark.parametrize('wrong', [object(), {1, 2}, np.zeros(2, 'c16')])
def test_what_is_no_tensor_is_refused(wrong):
  with pytest.raises(TypeError):
    torch_writer.content({'a': [wrong]})


@pytest.mark.slow
def test_pytorch_reads_them(found, tmp_path):
  torch = pytest.importorskip('torch')
  torch_writer.write(tmp_path / 't.pt', found)
  for mapped in (False, True):
    read = torch.load(tmp_path / 't.pt', weights_only=True, mmap=mapped)
    assert read['plain'] == found['plain']
    for name in ('turned', 'scalar', 'none', 'bytes', 'flags', 'big-endian'):
      np.testing.assert_array_equal(read[name].numpy(), found[name])
    image, label = read['data'][-1]
    np.testing.assert_array_equal(image.numpy(), found['data'][-1][0])
    assert label.dtype == torch.int64 and image.is_contiguous()
