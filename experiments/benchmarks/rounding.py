"""What a device would compute that multiplies with fewer bits, told on a CPU.

A function is traced, derivatives and all, and every convolution and matrix
product of its program is given rounded operands, but for those that name a
precision of their own. Sums stay float32, as on a GPU or a TPU.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax import lax
from jax.extend import core

MANTISSA = {'tf32': 10, 'bfloat16': 7}
"""Bits, by the name of a precision."""
_EXPONENT = 8
_PRODUCTS = ('dot_general', 'conv_general_dilated')
_OURS = 'conv3x3'  # how the names of `networks.convolution` begin


def rounded(function: Callable[..., Any], bits: int) -> Callable[..., Any]:
  """`function` with operands of a mantissa of that many bits."""

  def run(*args: Any) -> Any:
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*args)
    found = _evaluated(closed, jax.tree.leaves(args), bits)
    return jax.tree.unflatten(jax.tree.structure(shape), found)

  return run


def _evaluated(
  closed: core.ClosedJaxpr, args: Sequence[Any], bits: int
) -> list[Any]:
  """The values of a program on `args`, equation by equation."""
  jaxpr, values = closed.jaxpr, dict[Any, Any]()
  values.update(zip(jaxpr.constvars, closed.consts, strict=True))
  values.update(zip(jaxpr.invars, args, strict=True))
  read = lambda v: v.val if isinstance(v, core.Literal) else values[v]
  for equation in jaxpr.eqns:
    given = [read(v) for v in equation.invars]
    if _is_product(equation):
      given = [lax.reduce_precision(a, _EXPONENT, bits) for a in given]
    params = {k: _inside(v, bits) for k, v in equation.params.items()}
    bound = equation.primitive.get_bind_params(params)
    functions, params = bound if isinstance(bound, tuple) else ((), bound)
    found = equation.primitive.bind(*functions, *given, **params)
    found = found if equation.primitive.multiple_results else [found]
    values.update(zip(equation.outvars, found, strict=True))
  return [read(v) for v in jaxpr.outvars]


def _is_product(equation: Any) -> bool:
  """Whether it is one, and of no precision of its own."""
  name: str = equation.primitive.name
  own = equation.params.get('precision')
  return name.startswith(_OURS) or (name in _PRODUCTS and own is None)


def _inside(value: Any, bits: int) -> Any:
  """A parameter of an equation, with programs in it rewritten."""
  if type(value) in (tuple, list):  # a named tuple holds no program
    return type(value)(_inside(v, bits) for v in value)
  if isinstance(value, core.ClosedJaxpr):
    return _rewritten(value, bits)
  if isinstance(value, core.Jaxpr):
    return _rewritten(core.ClosedJaxpr(value, ()), bits).jaxpr
  return value


def _rewritten(closed: core.ClosedJaxpr, bits: int) -> core.ClosedJaxpr:
  avals = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in closed.in_avals]
  return jax.make_jaxpr(lambda *args: _evaluated(closed, args, bits))(*avals)
