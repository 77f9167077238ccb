"""Readers that are there only where their package is installed."""

import importlib
from typing import Any

from dd_jax.types import UserError


def imported(module: str, path: str, extra: str) -> Any:
  """Imports a package that the default install may lack.

  Args:
    module: its name.
    path: the file that needs it, for the message.
    extra: of dd_jax, which brings it.

  Raises:
    UserError: it is not installed; says how to get it, or to do without.
  """
  try:
    return importlib.import_module(module)
  except ImportError as e:
    raise UserError(
      f'{path}: reading it needs {module}: pip install "dd_jax[{extra}]"; or '
      'save its arrays as .npz, by np.savez'
    ) from e
