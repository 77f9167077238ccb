"""neural-tangents on a current jax, by a shim that lasts for its import only.

neural-tangents 0.6.5 (the last release) imports on no jax since 0.4.36: six
names have moved, one module is gone, and its TensorFlow sub-package pulls in
TensorFlow. `load` lends it those names while it is imported, and takes them
back afterwards. dd_jax does not need it (`kernels/dense.py` has its own
kernels); it is there for comparisons and for other architectures.

Works (tried on jax 0.10.2 and 0.12.0.1): `stax` kernels, `batch`, `predict`,
`monte_carlo_kernel_fn`, and `empirical_ntk_fn` by `JACOBIAN_CONTRACTION` (its
default) and `NTK_VECTOR_PRODUCTS`. Does not: `STRUCTURED_DERIVATIVES`, and
`AUTO`, which tries it; both lean on internals that jax has rewritten.
"""

import contextlib
import importlib
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dd_jax.types import UserError

INSTALL = 'pip install --no-deps neural-tangents==0.6.5 frozendict'

_NAME = 'neural_tangents'
_TENSORFLOW_PART = f'{_NAME}.experimental'
_MOVED = ('Jaxpr', 'JaxprEqn', 'Literal', 'Primitive', 'Var')
_MISSING = object()


def load() -> types.ModuleType:
  """Imports an installed neural-tangents on whatever jax is installed.

  Its `experimental` sub-package, the TensorFlow one, is an empty stand-in.

  Returns:
    The module `neural_tangents`, the same one on every call.

  Raises:
    UserError: it is not installed, or does not import on this jax.
  """
  if _NAME in sys.modules:
    return sys.modules[_NAME]
  try:
    with _moved_names():
      return importlib.import_module(_NAME)
  except Exception as error:
    _forget()
    raise UserError(_why(error)) from error


def _why(error: Exception) -> str:
  if isinstance(error, ModuleNotFoundError):
    return f'{error.name} is not installed; install it with: {INSTALL}'
  jax = importlib.import_module('jax')
  return (
    f'neural_tangents does not import on jax {jax.__version__} '
    f'({type(error).__name__}: {_first_line(error)}); 0.6.5 is known to work '
    f'on jax 0.10.2 and 0.12.0.1: {INSTALL}'
  )


def _first_line(error: Exception) -> str:
  return next(iter(str(error).splitlines()), '')


def _forget() -> None:
  """Leaves no half-imported module behind."""
  for name in list(sys.modules):
    if name == _NAME or name.startswith(f'{_NAME}.'):
      del sys.modules[name]


@contextlib.contextmanager
def _moved_names() -> Iterator[None]:
  """Puts back, for a while, what neural-tangents looks for in jax."""
  core = importlib.import_module('jax.core')
  autodiff = importlib.import_module('jax.interpreters.ad')
  moved = importlib.import_module('jax.extend.core')
  modules = {
    'jax.util': _module('jax.util', safe_map=_safe_map, safe_zip=_safe_zip),
    _TENSORFLOW_PART: _module(_TENSORFLOW_PART),
  }
  with contextlib.ExitStack() as stack:
    for name in _MOVED:
      stack.enter_context(_lent(vars(core), name, getattr(moved, name)))
    # A key of its table of rules; no program of a current jax contains it.
    zeros = moved.Primitive('zeros_like')
    stack.enter_context(_lent(vars(autodiff), 'zeros_like_p', zeros))
    for name, module in modules.items():
      stack.enter_context(_lent(sys.modules, name, module))
    yield


@contextlib.contextmanager
def _lent(table: dict[str, Any], name: str, value: object) -> Iterator[None]:
  """Sets `table[name]`, then restores what was there."""
  before = table.get(name, _MISSING)
  if before is _MISSING:
    table[name] = value
  try:
    yield
  finally:
    if before is _MISSING:
      table.pop(name, None)


def _module(name: str, **names: object) -> types.ModuleType:
  module = types.ModuleType(name, f'A stand-in for {name}.')
  vars(module).update(names)
  return module


def _safe_map(function: Callable[..., Any], *columns: Iterable) -> list:
  return [function(*row) for row in zip(*columns, strict=True)]


def _safe_zip(*columns: Iterable) -> list[tuple]:
  return list(zip(*columns, strict=True))
