"""Files of PyTorch's tensors, written without it as it writes them."""

import collections
import io
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest

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
def tensor():
  """`tensor(flat, shape, stride, offset)`, to be saved; see `save`."""
  return Tensor


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
