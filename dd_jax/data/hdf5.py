"""Reading an HDF5 file of arrays, by h5py where that is installed."""

from typing import Any

from dd_jax.data import keys
from dd_jax.data.depth import Range
from dd_jax.data.optional import imported
from dd_jax.data.raw import Raw
from dd_jax.types import UserError


def read(path: str, value_range: Range | None = None) -> Raw:
  """Reads arrays at the top of the file, under the keys of an archive.

  Args:
    path: of the file.
    value_range: the values of black and of white; by default found.

  Raises:
    UserError: h5py is not installed, or the file holds something else.
  """
  h5py = imported('h5py', path, 'hdf5')
  try:
    with h5py.File(path, 'r') as file:
      arrays = {k: v for k, v in file.items() if isinstance(v, h5py.Dataset)}
      chosen = keys.choose(path, list(arrays))
      found = {k: _array(arrays[k]) for k in chosen.all}
  except (OSError, RuntimeError, KeyError) as e:
    raise UserError(
      f'{path} is no readable HDF5 file; it may be truncated or damaged '
      f'({" ".join(str(e).split())[:120]})'
    ) from e
  return keys.read(path, chosen, found, value_range)


def _array(dataset: Any) -> Any:
  """Its values; variable text comes as Python bytes otherwise."""
  return dataset.asstr()[()] if dataset.dtype.kind == 'O' else dataset[()]
