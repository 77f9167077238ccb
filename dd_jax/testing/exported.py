"""What a program must be to suit an accelerator, told without one.

A function is traced and lowered for CUDA and TPU by any process; its schedule
is that of the `Platform` that its networks and kernels were given.

| law | what it asks |
|---|---|
| `stays_on_device` | nothing is called back to the host |
| `single` | nothing is float64 |
| `small` | no constant of more than a MiB is part of the program |
| `native` | every convolution is the backend's own |
| `batched` | no loop is as long as an axis that should be a batch |

Each raises an AssertionError that names it and what was seen.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax

from dd_jax.testing.cases import require

PLATFORMS = ('cuda', 'tpu')
_MIB = 1 << 20
_CONSTANT = re.compile(
  r'constant dense<["\[].*> : tensor<([0-9x]+)x[a-z]+(\d+)'
)
_CALLBACK = re.compile(r'custom_call @\w*(?:callback|python)\w*')
_CONVOLUTIONS = ('conv_general_dilated', 'conv3x3')  # how their names begin


def suits(
  function: Callable[..., Any],
  arguments: Sequence[Any],
  axes: Sequence[int] = (),
) -> None:
  """Holds a function to all the laws.

  Args:
    function: pure.
    arguments: arrays, or their shapes.
    axes: lengths that no loop may have; of sizes that nothing else has.
  """
  traced = jax.jit(function).trace(*arguments)
  stays_on_device(traced.jaxpr)
  batched(traced.jaxpr, axes)
  for platform in PLATFORMS:
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    single(text)
    small(text)
    native(traced.jaxpr, text)


def stays_on_device(jaxpr: Any) -> None:
  """See the module."""
  names = {e.primitive.name for e in equations(jaxpr)}
  found = [name for name in names if 'callback' in name]
  require(not found, 'stays_on_device', found)


def single(text: str) -> None:
  """See the module."""
  found = re.findall(r'tensor<(?:[0-9x?]+x)?f64>', text)
  require(not found, 'single', found[:1])


def small(text: str) -> None:
  """See the module."""
  for shape, bits in _CONSTANT.findall(text):
    size = math.prod(map(int, shape.split('x'))) * int(bits) // 8
    require(size <= _MIB, 'small', f'a constant of {size:,} bytes')


def native(jaxpr: Any, text: str) -> None:
  """See the module: where there are any, some are left."""
  names = {e.primitive.name for e in equations(jaxpr)}
  asked = [name for name in names if name.startswith(_CONVOLUTIONS)]
  found = 'stablehlo.convolution' in text
  require(found or not asked, 'native', f'{asked} became no convolution')


def batched(jaxpr: Any, axes: Sequence[int]) -> None:
  """See the module."""
  loops = [e for e in equations(jaxpr) if e.primitive.name == 'scan']
  found = sorted({e.params['length'] for e in loops} & set(axes))
  require(not found, 'batched', f'loops of length {found}')


def equations(jaxpr: Any) -> Iterator[Any]:
  """Those of a jaxpr and of all that it calls, each once."""
  seen, waiting = set(), [getattr(jaxpr, 'jaxpr', jaxpr)]
  while waiting:
    one = waiting.pop()
    if id(one) not in seen:
      seen.add(id(one))
      for equation in one.eqns:
        yield equation
        waiting += _inner(equation)


def _inner(equation: Any) -> list[Any]:
  """The jaxprs among the parameters of an equation."""
  is_one = lambda value: hasattr(value, 'eqns') or hasattr(value, 'jaxpr')
  found = jax.tree.leaves(dict(equation.params), is_leaf=is_one)
  return [getattr(x, 'jaxpr', x) for x in found if is_one(x)]
