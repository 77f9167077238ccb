"""Files of PyTorch's tensors, written here as PyTorch writes them."""

import collections
import io
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest

from dd_jax.data import torch_file
from dd_jax.types import UserError

_NAMES = {'f4': 'FloatStorage', 'f8': 'DoubleStorage', 'i8': 'LongStorage'}


class Tensor:
  """Stands for one: pickled by PyTorch's own recipe, over `flat`."""

  def __init__(self, flat, shape, stride, offset=0):
    self.flat, self.view = np.asarray(flat), (offset, shape, stride)

  def __reduce__(self):
    made = sys.modules['torch._utils']._rebuild_tensor_v2
    offset, shape, stride = self.view
    hooks = collections.OrderedDict()
    return made, (self.flat, offset, shape, stride, False, hooks)


class Pickler(pickle.Pickler):
  """Storages are references, as there."""

  def __init__(self, file):
    super().__init__(file, protocol=2)
    self.storages = []

  def persistent_id(self, found):
    if not isinstance(found, np.ndarray):
      return None
    key = str(len(self.storages))
    self.storages.append(found)
    kind = getattr(sys.modules['torch'], _NAMES[found.dtype.str[1:]])
    return 'storage', kind, key, 'cpu', found.size


@pytest.fixture
def save(monkeypatch, tmp_path):
  """`save(found)`: the path of a file that holds it."""
  torch, utils = types.ModuleType('torch'), types.ModuleType('torch._utils')
  for name in _NAMES.values():
    setattr(torch, name, type(name, (), {'__module__': 'torch'}))

  def _rebuild_tensor_v2():
    pass

  _rebuild_tensor_v2.__module__ = 'torch._utils'
  _rebuild_tensor_v2.__qualname__ = '_rebuild_tensor_v2'
  utils._rebuild_tensor_v2 = _rebuild_tensor_v2
  monkeypatch.setitem(sys.modules, 'torch', torch)
  monkeypatch.setitem(sys.modules, 'torch._utils', utils)

  def write(found, name='t.pt', old=False):
    described = io.BytesIO()
    pickler = Pickler(described)
    pickler.dump(found)
    path = tmp_path / name
    if old:
      path.write_bytes(_old(described.getvalue(), pickler.storages))
      return path
    with zipfile.ZipFile(path, 'w') as archive:
      archive.writestr('t/data.pkl', described.getvalue())
      for key, storage in enumerate(pickler.storages):
        archive.writestr(f't/data/{key}', storage.tobytes())
    return path

  return write


def _old(described, storages) -> bytes:
  parts = [0x1950A86A20F9469CFC6C, 1001, {'little_endian': True}]
  head = b''.join(pickle.dumps(p, protocol=2) for p in parts)
  keys = pickle.dumps([str(i) for i in range(len(storages))], protocol=2)
  rows = b''.join(s.size.to_bytes(8, 'little') + s.tobytes() for s in storages)
  return head + described + keys + rows


@pytest.mark.parametrize('old', [False, True], ids=['zip', 'old'])
def test_tensors_in_containers(save, old):
  flat = np.arange(24, dtype=np.float32)
  found = {
    'data': [[Tensor(flat, (2, 3, 4), (12, 4, 1)), 'text', 2.5, None]],
    'turned': Tensor(flat, (4, 3), (1, 4), 12),
    'ids': (Tensor(np.arange(3), (3,), (1,)), True),
    'none': Tensor(np.zeros(0, np.float64), (0, 2), (2, 1)),
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
def test_no_tensor_reaches_beyond_its_storage(save, shape, stride, offset):
  path = save(Tensor(np.zeros(4, np.float32), shape, stride, offset))
  with pytest.raises(UserError, match='beyond its storage'):
    torch_file.read(path)


@pytest.mark.parametrize('old', [False, True], ids=['zip', 'old'])
def test_damage_is_one_line(save, tmp_path, old):
  whole = save(Tensor(np.zeros(99, np.float32), (99,), (1,)), old=old)
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
