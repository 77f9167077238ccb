"""Reading a data set from a file of PyTorch's tensors."""

from typing import Any

import numpy as np

from dd_jax.data import keys, raw, torch_file
from dd_jax.data.depth import Range
from dd_jax.types import UserError


def read(path: str, value_range: Range | None = None) -> raw.Raw:
  """Reads a dict of tensors by the usual names, or a pair of images and labels.

  PyTorch is not needed; see `torch_file`. `keys` has the names, and `raw.read`
  tells what images and labels may be.

  Args:
    path: of the file.
    value_range: the values of black and of white; by default found.

  Raises:
    UserError: a file that is damaged or holds something else.
  """
  found = _named(path, torch_file.read(path))
  chosen = keys.choose(path, list(found))
  return keys.read(path, chosen, {k: found[k] for k in chosen.all}, value_range)


def _named(path: str, found: Any) -> dict[str, np.ndarray]:
  if isinstance(found, list | tuple) and len(found) == 2:
    found = dict(zip('xy', found, strict=True))
  if isinstance(found, dict):
    kept = {str(k): _array(v) for k, v in found.items()}
    if all(v is not None for v in kept.values()):
      return {k: v for k, v in kept.items() if v is not None}
  raise UserError(
    f'{path}: holds neither a dict of tensors, x_train and y_train, nor a pair '
    'of images and labels'
  )


def _array(found: Any) -> np.ndarray | None:
  """A tensor, or a list of text such as class names; None of others."""
  if isinstance(found, list | tuple) and all(isinstance(v, str) for v in found):
    return np.asarray(found)
  return found if isinstance(found, np.ndarray) else None
