"""Between our kernels and code that speaks neural-tangents' `kernel_fn`."""

import collections
from collections.abc import Callable
from typing import Any

import jax

from dd_jax.checks import check_name
from dd_jax.types import Kernel

_KINDS = ('nngp', 'ntk')


def from_kernel_fn(
  kernel_fn: Callable[..., jax.Array], get: str = 'ntk'
) -> Kernel:
  """A kernel for our methods from `kernel_fn(x1, x2, get)`.

  neural-tangents' own come from `kernels.neural_tangents.load().stax`.

  Args:
    kernel_fn: called with `x2` None for `x1` again.
    get: passed on: 'ntk' or 'nngp'.

  Raises:
    UserError: another `get`.
  """
  check_name('get', get, _KINDS)

  def kernel(x1: jax.Array, x2: jax.Array | None = None) -> jax.Array:
    return kernel_fn(x1, x2, get)

  return kernel


def to_kernel_fn(make: Callable[[str], Kernel]) -> Callable[..., Any]:
  """A `kernel_fn(x1, x2=None, get='ntk')` from one of our factories.

  Args:
    make: `get -> Kernel`, for example `conv_kernel`.

  Returns:
    A function that gives `[n, m]` for one name in `get`, and a named tuple of
    them for a tuple of names.
  """

  def kernel_fn(
    x1: jax.Array, x2: jax.Array | None = None, get: Any = 'ntk'
  ) -> Any:
    names = (get,) if isinstance(get, str) else tuple(get or _KINDS)
    for name in names:
      check_name('get', name, _KINDS)
    found = [make(name)(x1, x2) for name in names]
    if isinstance(get, str):
      return found[0]
    return collections.namedtuple('Kernels', names)(*found)

  return kernel_fn
