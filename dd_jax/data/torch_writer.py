"""PyTorch's files of tensors, written without PyTorch: `torch_file` reads them.

The zip archive that PyTorch itself makes since version 1.6, which `torch.load`
takes with `weights_only=True`. Equal contents give equal bytes.
"""

import collections
import io
import pathlib
import pickle
import struct
import zipfile
from collections.abc import Iterable
from typing import Any

import numpy as np

from dd_jax.files import write_atomically

_FOLDER = 'archive'
_STORAGES = {
  'f8': 'DoubleStorage',
  'f4': 'FloatStorage',
  'f2': 'HalfStorage',
  'i8': 'LongStorage',
  'i4': 'IntStorage',
  'u1': 'ByteStorage',
  'b1': 'BoolStorage',
}


def write(path: str | pathlib.Path, found: Any) -> None:
  """Writes `content(found)`, atomically."""
  write_atomically(path, content(found))


def content(found: Any) -> bytes:
  """The bytes of such a file.

  Args:
    found: arrays, which become tensors, and numbers, text and None, in dicts,
      lists and tuples.

  Raises:
    TypeError: there is something else in it.
  """
  arrays: list[np.ndarray] = []
  described = pickle.PROTO + b'\x02' + _described(found, arrays) + pickle.STOP
  members = {
    'data.pkl': described,
    'byteorder': b'little',
    **{f'data/{key}': array.tobytes() for key, array in enumerate(arrays)},
    'version': b'3\n',
  }
  buffer = io.BytesIO()
  with zipfile.ZipFile(buffer, 'w') as archive:
    for name, held in members.items():
      archive.writestr(zipfile.ZipInfo(f'{_FOLDER}/{name}'), held)
  return buffer.getvalue()


def _described(found: Any, arrays: list[np.ndarray]) -> bytes:
  """The pickle of `found`; the arrays in it are added to `arrays`."""
  if isinstance(found, np.ndarray):
    return _tensor(found, arrays)
  if isinstance(found, dict):
    items = [x for pair in found.items() for x in pair]
    return pickle.EMPTY_DICT + _marked(items, arrays) + pickle.SETITEMS
  if isinstance(found, list):
    return pickle.EMPTY_LIST + _marked(found, arrays) + pickle.APPENDS
  if isinstance(found, tuple):
    return _marked(found, arrays) + pickle.TUPLE
  return _plain(found)


def _marked(items: Iterable[Any], arrays: list[np.ndarray]) -> bytes:
  return pickle.MARK + b''.join(_described(x, arrays) for x in items)


def _plain(found: Any) -> bytes:
  if found is None:
    return pickle.NONE
  if isinstance(found, bool):
    return pickle.NEWTRUE if found else pickle.NEWFALSE
  if isinstance(found, int):
    digits = found.to_bytes(found.bit_length() // 8 + 1, 'little', signed=True)
    return pickle.LONG1 + bytes([len(digits)]) + digits
  if isinstance(found, float):
    return pickle.BINFLOAT + struct.pack('>d', found)
  if isinstance(found, str):
    text = found.encode()
    return pickle.BINUNICODE + struct.pack('<I', len(text)) + text
  raise TypeError(f'{type(found).__name__}: no tensor, number, text or holder')


def _tensor(array: np.ndarray, arrays: list[np.ndarray]) -> bytes:
  """A tensor: a call by name, which `torch.load` knows, on a storage."""
  flat = np.ascontiguousarray(array, array.dtype.newbyteorder('<'))
  kind = _STORAGES.get(flat.dtype.str[1:])
  if kind is None:
    raise TypeError(f'{array.dtype}: PyTorch has no such tensors')
  key = str(len(arrays))
  arrays.append(flat)
  storage = (
    _marked(('storage',), arrays)
    + _named('torch', kind)
    + b''.join(_plain(x) for x in (key, 'cpu', flat.size))
    + pickle.TUPLE
    + pickle.BINPERSID
  )
  steps = (*np.cumprod((1, *array.shape[:0:-1])).tolist(),)[::-1]
  hooks = _named(*_ORDERED) + pickle.EMPTY_TUPLE + pickle.REDUCE
  return (
    _named('torch._utils', '_rebuild_tensor_v2')
    + pickle.MARK
    + storage
    + _plain(0)  # where in the storage it begins
    + _described(array.shape, arrays)
    + _described(steps if array.ndim else (), arrays)
    + _plain(False)  # whether it wants a gradient
    + hooks
    + pickle.TUPLE
    + pickle.REDUCE
  )


_ORDERED = ('collections', collections.OrderedDict.__name__)


def _named(module: str, name: str) -> bytes:
  return pickle.GLOBAL + f'{module}\n{name}\n'.encode()
