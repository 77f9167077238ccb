"""Files of PyTorch's tensors are read without it, and nothing else is."""

import numpy as np
import pytest

from dd_jax.data import torch_file
from dd_jax.types import UserError


@pytest.mark.parametrize('old', [False, True], ids=['zip', 'old'])
def test_tensors_in_containers(save, tensor, old):
  flat = np.arange(24, dtype=np.float32)
  found = {
    'data': [[tensor(flat, (2, 3, 4), (12, 4, 1)), 'text', 2.5, None]],
    'turned': tensor(flat, (4, 3), (1, 4), 12),
    'ids': (tensor(np.arange(3), (3,), (1,)), True),
    'none': tensor(np.zeros(0, np.float64), (0, 2), (2, 1)),
  }
  read = torch_file.read(save(found, old=old))
  image, *rest = read['data'][0]
  np.testing.assert_array_equal(image, flat.reshape(2, 3, 4))
  assert image.dtype == np.float32 and rest == ['text', 2.5, None]
  np.testing.assert_array_equal(read['turned'], flat[12:].reshape(3, 4).T)
  ids, said = read['ids']
  assert ids.tolist() == [0, 1, 2] and ids.dtype == np.int64 and said is True
  assert read['none'].shape == (0, 2)


def run_me(*arguments):
  raise AssertionError('a file was run')


class Evil:
  def __reduce__(self):
    return run_me, ('now',)


@pytest.mark.parametrize('old', [False, True], ids=['zip', 'old'])
def test_nothing_in_a_file_is_run(save, old):
  path = save({'a': [Evil()]}, old=old)
  with pytest.raises(UserError, match=r'run_me; read are tensors') as error:
    torch_file.read(path)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  'shape, stride, offset',
  [((5,), (1,), 0), ((2, 2), (3, 1), 0), ((2,), (1,), 3), ((2,), (-1,), 1)],
)
def test_no_tensor_reaches_beyond_its_storage(
  save, tensor, shape, stride, offset
):
  path = save(tensor(np.zeros(4, np.float32), shape, stride, offset))
  with pytest.raises(UserError, match='beyond its storage'):
    torch_file.read(path)


@pytest.mark.parametrize('old', [False, True], ids=['zip', 'old'])
def test_damage_is_one_line(save, tensor, tmp_path, old):
  whole = save(tensor(np.zeros(99, np.float32), (99,), (1,)), old=old)
  content, cut = whole.read_bytes(), tmp_path / 'cut.pt'
  for size in range(0, len(content), 7):
    cut.write_bytes(content[:size])
    with pytest.raises(UserError, match=r'cut\.pt: ') as error:
      torch_file.read(cut)
    assert '\n' not in str(error.value)
  with pytest.raises(UserError, match='no such file'):
    torch_file.read(tmp_path / 'absent.pt')


@pytest.mark.slow
@pytest.mark.parametrize('new', [True, False], ids=['zip', 'old'])
def test_files_of_pytorch_itself(tmp_path, new):
  torch = pytest.importorskip('torch')
  a = torch.arange(60.0).reshape(3, 4, 5)
  tensors = {
    'view': a.permute(2, 0, 1)[1:],
    'half': a.half(),
    'bfloat': a.bfloat16(),
    'flags': a > 3,
    'parameter': torch.nn.Parameter(a),
  }
  path = tmp_path / 't.pt'
  torch.save(tensors, path, _use_new_zipfile_serialization=new)
  read = torch_file.read(path)
  for name, tensor in tensors.items():
    want = tensor.detach()
    want = want.float() if name == 'bfloat' else want
    np.testing.assert_array_equal(read[name], want.numpy())
