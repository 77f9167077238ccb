"""Training that can be differentiated, at a chosen cost in memory.

Reverse mode needs the parameters of every inner step again. A plan says what is
kept for that and what is computed anew:

| plan | kept | time |
|---|---|---|
| `plain` | all that every step computed | shortest |
| `products` | what convolutions and matrix products gave | a little longer |
| `remat` | the carry of every step | a forward pass and gradient a step more |
| `nested` | about `2 sqrt(T)` carries | and again as much |

All give the same gradient. Which of them fits is known before anything runs:
the compiled program tells what it will need.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from dd_jax.checks import check_name
from dd_jax.derivatives import held
from dd_jax.types import PyTree, UserError

PLANS = ('plain', 'products', 'remat', 'nested')
"""The fastest first, the smallest last."""

_PRODUCTS = ('conv3x3', 'dot_general', 'conv_general_dilated')  # and variants

Carry = TypeVar('Carry')
Step = Callable[[jax.Array, Carry], Carry]
"""`(i, carry) -> carry`, one inner step; what it reads is closed over."""


def unroll(
  step: Step[Carry],
  carry: Carry,
  num_steps: int,
  *,
  plan: str = 'remat',
  offset: int | jax.Array = 0,
) -> Carry:
  """Runs `step(offset), ..., step(offset + num_steps - 1)`, differentiably.

  The gradient reaches `carry` and whatever `step` closes over: support set,
  labels, step sizes. To differentiate a window of a longer training run only,
  reach its start with `training.train`; `offset` may be traced, so one program
  serves every window.

  Args:
    step: an inner step; keeps the carry's structure, shapes and types.
    carry: where it starts, for example a `training.Model`.
    num_steps: of the unroll.
    plan: one of `PLANS`.
    offset: the first step's number.

  Returns:
    The carry after the last step.

  Raises:
    UserError: there is no such plan.
  """
  check_name('plan', plan, PLANS)
  if plan == 'plain':
    return _steps(step, carry, num_steps, offset)
  policy = _is_product if plan == 'products' else None
  # A scan keeps the passes apart: nothing has to be hidden from the compiler.
  step = jax.checkpoint(step, prevent_cse=False, policy=policy)
  run = _blocks if plan == 'nested' else _steps
  return run(step, carry, num_steps, offset)


def _is_product(primitive: Any, *_: Any, **params: Any) -> bool:
  """Whether an operation is worth keeping: most of a step's time."""
  del params
  return primitive.name.startswith(_PRODUCTS)


def _steps(
  step: Step[Carry], carry: Carry, count: int, first: int | jax.Array
) -> Carry:
  def body(carry: Carry, i: jax.Array) -> tuple[Carry, None]:
    return step(i, carry), None

  return jax.lax.scan(body, carry, first + jnp.arange(count))[0]


def _blocks(
  step: Step[Carry], carry: Carry, count: int, first: int | jax.Array
) -> Carry:
  """Blocks of about `sqrt(count)` steps, each run again when it is needed."""
  size = math.isqrt(max(count - 1, 0)) + 1
  whole = count // size

  def block(length: int, scanned: bool) -> Step[Carry]:
    run = lambda start, carry: _steps(step, carry, length, start)
    return jax.checkpoint(run, prevent_cse=not scanned)

  def body(carry: Carry, i: jax.Array) -> tuple[Carry, None]:
    return block(size, True)(first + i * size, carry), None

  carry = jax.lax.scan(body, carry, jnp.arange(whole))[0]
  rest = count - whole * size
  if rest:
    carry = block(rest, False)(jnp.asarray(first + whole * size), carry)
  return carry


def mean_loss(
  each: Callable[[PyTree, PyTree], tuple[jax.Array, jax.Array]],
  params: PyTree,
  data: PyTree,
  size: int = 32,
) -> tuple[jax.Array, jax.Array]:
  """The outer loss: a mean over real examples, in chunks, as is its gradient.

  The gradient is computed along with the value, chunk by chunk, so that memory
  does not grow with the batch. It reaches `params` only.

  Args:
    each: `(params, chunk) -> (loss [n], metric [n])`.
    params: what the gradient reaches.
    data: examples, `[n, ...]`.
    size: of a chunk; chunks are strided, so that a leading axis that is split
      over devices stays split.

  Returns:
    The means of loss and metric.
  """
  fixed = held(params)
  count = jax.tree.leaves(data)[0].shape[0]

  def total(params: PyTree, chunk: PyTree) -> tuple[jax.Array, jax.Array]:
    loss, metric = each(params, chunk)
    return jnp.sum(loss) / count, jnp.sum(metric) / count

  def one(chunk: PyTree) -> PyTree:
    return jax.value_and_grad(total, has_aux=True)(fixed, chunk)

  (value, metric), gradient = _summed(one, data, count, size)
  # Zero, but for its gradient, which is all of the loss's.
  slope = jax.tree.map(
    lambda g, p, f: jnp.vdot(g, p - f), gradient, params, fixed
  )
  return value + sum(jax.tree.leaves(slope)), metric


def _summed(
  one: Callable[[PyTree], PyTree], data: PyTree, count: int, size: int
) -> PyTree:
  """The sum of `one(chunk)` over strided chunks and what they leave over."""
  whole = count // size * size
  if count <= size:
    return one(data)

  def chunked(a: jax.Array) -> jax.Array:
    return a[:whole].reshape(size, -1, *a.shape[1:]).swapaxes(0, 1)

  def add(total: PyTree, chunk: PyTree) -> tuple[PyTree, None]:
    return jax.tree.map(jnp.add, total, one(chunk)), None

  if whole < count:
    start = one(jax.tree.map(lambda a: a[whole:], data))
  else:
    first = jax.eval_shape(one, jax.tree.map(lambda a: a[:size], data))
    start = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), first)
  return jax.lax.scan(add, start, jax.tree.map(chunked, data))[0]


def estimate_memory(function: Callable[..., PyTree], *args: PyTree) -> int:
  """Bytes of temporaries that `function(*args)` needs, without running it.

  Compiles it and asks the compiler. Arguments and results are not counted.

  Args:
    function: any traceable function, such as the gradient of a loss.
    *args: arrays, tracers or shapes; only shapes and types are looked at.

  Raises:
    UserError: the backend does not tell.
  """
  shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), args)
  analysis = jax.jit(function).lower(*shapes).compile().memory_analysis()
  if analysis is None:
    raise UserError("plan='auto': this backend's compiler tells no sizes")
  return int(analysis.temp_size_in_bytes)


def choose_plan(
  program: Callable[[str], Callable[..., PyTree]],
  args: tuple[PyTree, ...],
  budget: float,
) -> str:
  """The first of `PLANS` whose program fits a budget of memory.

  What `plan='auto'` means in a method. Compiles one program after another; may
  be called while tracing.

  Args:
    program: `(plan) -> function`, see `estimate_memory`.
    args: of that function.
    budget: bytes.

  Raises:
    UserError: none fits.
  """
  needed = []
  for plan in PLANS:
    needed.append(estimate_memory(program(plan), *args))
    if needed[-1] <= budget:
      return plan
  costs = ', '.join(
    f'{plan} {size / 2**20:,.0f} MiB'
    for plan, size in zip(PLANS, needed, strict=True)
  )
  raise UserError(
    f'memory={budget / 2**20:,.0f} MiB: no plan of the unroll fits ({costs})'
  )
