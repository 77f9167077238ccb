"""PyTorch's files of tensors, read without PyTorch and without running them.

A `.pt` is a zip archive: a pickle that describes tensors, and a file of bytes
for each storage that they are views of. Before version 1.6 of PyTorch it was
five pickles and the storages one after the other. Either is read by an
unpickler that knows tensors, numbers, text and containers: whatever else a
pickle asks for is refused by name, and nothing in it is called.
"""

import collections
import io
import pathlib
import pickle
import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from dd_jax.files import reason
from dd_jax.types import UserError

_MAGIC = 0x1950A86A20F9469CFC6C
_BFLOAT16 = 'BFloat16Storage'
_DTYPES = {
  'DoubleStorage': 'f8',
  'FloatStorage': 'f4',
  'HalfStorage': 'f2',
  _BFLOAT16: 'u2',  # the upper half of a float32
  'LongStorage': 'i8',
  'IntStorage': 'i4',
  'ShortStorage': 'i2',
  'CharStorage': 'i1',
  'ByteStorage': 'u1',
  'BoolStorage': '?',
}


class _Kind(NamedTuple):
  """A class of storages, by its name in PyTorch."""

  name: str


class _Storage(NamedTuple):
  """Numbers in a row, which tensors are views of; of a key, read later."""

  kind: str
  key: str
  size: int


class _Tensor(NamedTuple):
  """A view of a storage, before its numbers are known."""

  storage: _Storage
  offset: int
  shape: tuple[int, ...]
  stride: tuple[int, ...]


def read(path: str | pathlib.Path) -> Any:
  """What a file of tensors holds.

  Returns:
    Arrays where there were tensors, in the lists, tuples and dicts, and beside
    the numbers and the text, that they were saved in. bfloat16 becomes float32.

  Raises:
    UserError: there is no such file, it is no file of PyTorch's, it is cut off,
      or it holds anything but tensors and containers.
  """
  try:
    with open(path, 'rb') as file:
      return _read_zip(file) if zipfile.is_zipfile(file) else _read_old(file)
  except FileNotFoundError:
    raise UserError(f'{path}: there is no such file') from None
  except _Refused as error:
    raise UserError(
      f'{path}: holds {error}; read are tensors, numbers, text and containers '
      'of them, and nothing in a file is run'
    ) from None
  except Exception as error:  # a damaged pickle raises almost anything
    raise UserError(
      f"{path}: not a readable file of PyTorch's ({reason(error)})"
    ) from None


class _Refused(Exception):
  """The file holds what is never loaded."""


class _Unpickler(pickle.Unpickler):
  """Makes `_Tensor`s and plain containers, and nothing else."""

  def find_class(self, module: str, name: str) -> Any:
    known: dict[tuple[str, str], Any] = {
      ('collections', 'OrderedDict'): collections.OrderedDict,
      ('torch', 'Size'): tuple,
      ('torch._utils', '_rebuild_tensor'): _tensor,
      ('torch._utils', '_rebuild_tensor_v2'): _tensor,
      ('torch._utils', '_rebuild_parameter'): lambda data, *rest: data,
    }
    if module == 'torch' and name in _DTYPES:
      return _Kind(name)
    if (module, name) not in known:
      raise _Refused(f'{module}.{name}')
    return known[module, name]

  def persistent_load(self, pid: Any) -> _Storage:
    what, kind, key, _, size = pid[:5]
    if what != 'storage' or not isinstance(kind, _Kind):
      raise _Refused(f'a reference to {what!r}')
    return _Storage(kind.name, str(key), int(size))


def _tensor(
  storage: _Storage, offset: int, shape: Any, stride: Any, *rest: Any
) -> _Tensor:
  """Stands for PyTorch's function of that name; `rest` is for gradients."""
  del rest
  return _Tensor(storage, offset, tuple(shape), tuple(stride))


def _read_zip(file: BinaryIO) -> Any:
  with zipfile.ZipFile(file) as archive:
    (name,) = [n for n in archive.namelist() if n.endswith('/data.pkl')]
    folder = name.removesuffix('data.pkl')
    order = f'{folder}byteorder'
    big = order in archive.namelist() and archive.read(order) == b'big'
    found = _Unpickler(io.BytesIO(archive.read(name))).load()

    def numbers(storage: _Storage) -> np.ndarray:
      dtype = np.dtype(_DTYPES[storage.kind]).newbyteorder('>' if big else '<')
      content = archive.read(f'{folder}data/{storage.key}')
      return np.frombuffer(content, dtype, storage.size)

    return _filled(found, numbers)


def _read_old(file: BinaryIO) -> Any:
  """The format before zip archives, little-endian."""
  file.seek(0)
  if _Unpickler(file).load() != _MAGIC:
    raise ValueError('its magic number is another')
  _Unpickler(file).load()  # the version of the format
  _Unpickler(file).load()  # the machine's sizes
  found = _Unpickler(file).load()
  held: dict[str, bytes] = {}
  kinds = {s.key: s for s in _storages(found)}
  for key in _Unpickler(file).load():
    size = int.from_bytes(file.read(8), 'little')
    held[str(key)] = file.read(
      size * np.dtype(_DTYPES[kinds[key].kind]).itemsize
    )

  def numbers(storage: _Storage) -> np.ndarray:
    dtype = np.dtype(_DTYPES[storage.kind]).newbyteorder('<')
    return np.frombuffer(held[storage.key], dtype, storage.size)

  return _filled(found, numbers)


def _filled(found: Any, numbers: Callable[[_Storage], np.ndarray]) -> Any:
  """`found` with an array for each tensor, in plain containers."""
  if isinstance(found, _Tensor):
    return _array(found, numbers(found.storage))
  if isinstance(found, dict):
    return {k: _filled(v, numbers) for k, v in found.items()}
  if isinstance(found, list | tuple):
    return type(found)(_filled(v, numbers) for v in found)
  return found


def _storages(found: Any) -> list[_Storage]:
  if isinstance(found, _Tensor):
    return [found.storage]
  if isinstance(found, dict):
    found = list(found.values())
  if isinstance(found, list | tuple):
    return [s for value in found for s in _storages(value)]
  return []


def _array(tensor: _Tensor, flat: np.ndarray) -> np.ndarray:
  """The view that a tensor is, as an array of its own.

  Raises:
    ValueError: it reaches beyond its storage.
  """
  shape, stride = tensor.shape, tensor.stride
  reach = sum((n - 1) * s for n, s in zip(shape, stride, strict=True))
  last = tensor.offset + reach
  inside = min((tensor.offset, *shape, *stride), default=0) >= 0
  if not inside or (0 not in shape and last >= len(flat)):
    raise ValueError('a tensor reaches beyond its storage')
  if tensor.storage.kind == _BFLOAT16:
    flat = (flat.astype('u4') << 16).view('f4')
  native = flat.astype(flat.dtype.newbyteorder('='))
  steps = [s * native.itemsize for s in stride]
  view = np.lib.stride_tricks.as_strided(native[tensor.offset :], shape, steps)
  return view.copy()
