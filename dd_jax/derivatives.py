"""A constant to one derivative that is not one to the next, and the last one.

Whoever differentiates a whole outer step takes a derivative of a gradient. A
`stop_gradient` inside of it would cut both; `held` cuts the gradient alone, so
that its derivative is what a finite difference gives. Where a gradient is
written by hand and its own derivative is not, `last` says so.
"""

import functools
from typing import NoReturn

import jax
from jax.custom_derivatives import SymbolicZero

from dd_jax.types import PyTree, UserError


@jax.custom_jvp
def held(tree: PyTree) -> PyTree:
  """`tree`, a constant to the innermost derivative that is being taken.

  Args:
    tree: float arrays.
  """
  return tree


def _constant(primals, tangents):  # type: ignore[no-untyped-def]
  del tangents
  zero = lambda x: SymbolicZero(jax.typeof(x).to_tangent_aval())
  return primals[0], jax.tree.map(zero, primals[0])


held.defjvp(_constant, symbolic_zeros=True)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def last(tree: PyTree, what: str) -> PyTree:
  """`tree`, of which there is no derivative.

  Args:
    tree: arrays.
    what: names what is asked for, for the error.

  Raises:
    UserError: a derivative is taken.
  """
  del what
  return tree


def _refused(what: str, primals, tangents) -> NoReturn:  # type: ignore[no-untyped-def]
  del primals, tangents
  raise UserError(f'{what}: is not there; allowed is one gradient')


last.defjvp(_refused)
