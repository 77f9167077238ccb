"""A constant to one derivative that is not one to the next.

Whoever differentiates a whole outer step takes a derivative of a gradient. A
`stop_gradient` inside of it would cut both; `held` cuts the gradient alone, so
that its derivative is what a finite difference gives.
"""

import jax
from jax.custom_derivatives import SymbolicZero

from dd_jax.types import PyTree


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
