"""One stage: the layers between two pools, offset by offset, and its adjoint.

A slice is formed from the two images (or cut from the state that the stage
before left), moves through the layers, and is folded into the pooled state;
nothing of the size of the full covariance exists. The reverse pass recomputes a
slice and stores none.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from dd_jax.kernels.conv.chain import (
  Chain,
  Part,
  Position,
  advance,
  chain,
  cut,
  extend,
  materialised,
  retreat,
  start,
)
from dd_jax.kernels.conv.layers import Slice
from dd_jax.kernels.conv.plan import Stage
from dd_jax.kernels.conv.pool import hand_over, pooled, unpooled

_VECTOR = 16  # sums over lanes keep so many partial ones, until the end
_MOST_PARTS = 8  # that are added up one by one


def forward(
  stage: Stage, state: Slice | None, p: Part, q: Part, ntk: bool
) -> Slice:
  """Takes a block of pairs through a stage.

  Args:
    stage: static.
    state: `[offsets, h, w, lanes]`; None for the first stage.
    p: the pairs' first images.
    q: their second images.
    ntk: whether the tangent kernel is wanted.

  Returns:
    The state on the offsets of `stage.after`; of a stage without a pool the sum
    over its offsets and pixels, `[1, 1, 1, lanes]`.
  """
  c = chain(stage, state, p, q, ntk)
  make = lambda at: advance(c, at)[0]
  like = jax.eval_shape(make, (jnp.int32(0), jnp.int32(0)))
  if not stage.pooled:
    return _summed(stage, make, like)
  full = pooled(stage, make, like)
  full = jax.tree.map(lambda a: hand_over(stage, a), full)
  return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), full)


def _summed(
  stage: Stage, make: Callable[[Position], Slice], like: Slice
) -> Slice:
  def body(total: Slice, k: jax.Array) -> tuple[Slice, None]:
    run = materialised(stage.platform, k)
    add = lambda t, a: run(lambda t, a: t + a.sum((0, 1)), t, a)
    return jax.tree.map(add, total, make(_position(stage, k))), None

  zeros = jax.tree.map(lambda a: jnp.zeros(a.shape[2:], a.dtype), like)
  total, _ = lax.scan(body, zeros, _steps(stage))
  return jax.tree.map(lambda a: a[None, None, None], total)


def reverse(
  stage: Stage,
  state: Slice | None,
  p: Part,
  q: Part,
  g: Slice,
  *,
  sides: tuple[bool, bool],
) -> tuple[Slice | None, Part | None, Part | None]:
  """The adjoint of `forward`.

  Args:
    stage: static.
    state: as given to `forward`.
    p: likewise.
    q: likewise.
    g: cotangent of what `forward` returns.
    sides: whether the cotangents of `p` and of `q` are wanted.

  Returns:
    Cotangents of `state`, `p` and `q`; None where not wanted or not there.
  """
  c = chain(stage, state, p, q, g.ntk is not None)
  lanes = g.nngp.shape[-1]
  undo = _undone(stage, g)

  def body(sums: tuple, k: jax.Array) -> tuple[tuple, Slice | None]:
    at, run = _position(stage, k), materialised(stage.platform, k)
    _, saved = advance(c, at)
    cotangent = jax.tree.map(lambda f: f(run, at), undo)
    cotangent, turns = retreat(c, saved, cotangent, at)
    images = (cotangent.nngp,) * len(p.image)
    terms = Part(images, turns)
    sums_p, sums_q = sums
    if sides[0]:
      sums_p = _add(run, sums_p, terms, cut(stage, c.q, at))
    if sides[1]:
      sums_q = _add_at(run, sums_q, terms, p, at)
    return (sums_p, sums_q), None if state is None else cotangent

  zeros = tuple(
    _zeros(part, lanes) if wanted else None
    for part, wanted in zip((p, c.q), sides, strict=True)
  )
  (sums_p, sums_q), g_state = lax.scan(body, zeros, _steps(stage))
  g_p = None if sums_p is None else _finished(sums_p, p)
  g_q = None if sums_q is None else _unextended(c, _finished(sums_q, c.q), q)
  return g_state, g_p, g_q


def _undone(stage: Stage, g: Slice) -> Any:
  """Functions `(run, position) -> cotangent of a slice`, for arrays."""
  if stage.pooled:
    return jax.tree.map(lambda a: unpooled(stage, a), g)
  shape = (stage.y.size, stage.x.size, g.nngp.shape[-1])

  def spread(a: jax.Array) -> Callable[..., jax.Array]:
    return lambda run, at: run(lambda a: jnp.broadcast_to(a[0], shape), a)

  return jax.tree.map(spread, g)


def _steps(stage: Stage) -> jax.Array:
  count = len(stage.y.offsets) * len(stage.x.offsets)
  return jnp.arange(count, dtype=jnp.int32)


def _position(stage: Stage, k: jax.Array) -> Position:
  columns = len(stage.x.offsets)
  return k // columns, k % columns


def _zeros(part: Part, lanes: int) -> Part:
  """Sums of what belongs to `part`."""

  def zeros(a: jax.Array) -> jax.Array:
    single = a.shape[-1] == 1 and lanes % _VECTOR == 0
    width = _VECTOR if single else lanes
    return jnp.zeros((*a.shape[:-1], width), a.dtype)

  return jax.tree.map(zeros, part)


def _add(run: Callable, sums: Part, terms: Part, factors: Part) -> Part:
  add = lambda s, a, b: s + _narrowed(a * b, s.shape[-1])
  return jax.tree.map(lambda s, a, b: run(add, s, a, b), sums, terms, factors)


def _add_at(
  run: Callable, sums: Part, terms: Part, factors: Part, at: Position
) -> Part:
  """As `_add`, at the pixels q = p + d of extended sums."""

  def add(s: jax.Array, a: jax.Array, b: jax.Array) -> jax.Array:
    size = (*a.shape[:2], s.shape[-1])
    old = lax.dynamic_slice(s, start(at), size, allow_negative_indices=False)
    new = run(lambda o, a, b: o + _narrowed(a * b, o.shape[-1]), old, a, b)
    return lax.dynamic_update_slice(
      s, new, start(at), allow_negative_indices=False
    )

  return jax.tree.map(add, sums, terms, factors)


def _narrowed(a: jax.Array, width: int) -> jax.Array:
  """Sums lanes that are `width` apart."""
  parts = a.shape[-1] // width
  if parts > _MOST_PARTS:
    return a.reshape(*a.shape[:-1], parts, width).sum(-2)
  # XLA hands a reduction to a library on a CPU, which is far slower here.
  return sum(jnp.split(a, parts, axis=-1)[1:], a[..., :width])


def _finished(sums: Part, like: Part) -> Part:
  """Ends the sums over lanes that share an image; the mean over channels."""

  def finish(s: jax.Array, a: jax.Array) -> jax.Array:
    return s.sum(-1, keepdims=True) if a.shape[-1] == 1 else s

  ended: Part = jax.tree.map(finish, sums, like)
  channels = len(ended.image)
  return ended._replace(image=tuple((1 / channels) * s for s in ended.image))


def _unextended(c: Chain, sums: Part, like: Part) -> Part:
  (back,) = jax.linear_transpose(lambda part: extend(c.stage, part), like)(sums)
  return back
