"""2x2 average pooling of offset slices, and its adjoint.

For one axis, pooled offset D averages slice 2D - 1 at odd p, slice 2D at all p
and slice 2D + 1 at even p. Slices come in the order odd, even, odd, ...: `fold`
carries the half-finished pooled slice from each to the next, so that no sum is
kept for every offset at once.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from dd_jax.kernels.conv.chain import Position, materialised
from dd_jax.kernels.conv.layers import Slice
from dd_jax.kernels.conv.plan import Axis, Stage
from dd_jax.platform import Platform

_Fed = tuple[jax.Array, jax.Array]


def pooled(
  stage: Stage, make: Callable[[Position], Slice], like: Slice
) -> Slice:
  """Pools the slices that `make` gives, of the shapes of `like`.

  Returns:
    `[y offsets, x offsets, h // 2, w // 2, lanes]` on the offsets that the
    stage's own axes deliver.
  """
  half = stage.x.size // 2
  reshaped = lambda shape: jax.tree.map(
    lambda s: jnp.zeros(shape(s.shape), s.dtype), like
  )
  across = reshaped(lambda s: (s[0], half, s[2]))
  count = len(stage.x.pooled.offsets)
  down = reshaped(lambda s: (count, s[0] // 2, half, s[2]))
  fold = functools.partial(_fold, stage.platform)
  row = lambda iy: fold(stage.x, lambda ix: make((iy, ix)), across)
  return fold(stage.y, row, down)


def _fold(
  platform: Platform,
  axis: Axis,
  make: Callable[[jax.Array], Slice],
  start: Slice,
) -> Slice:
  """Pools over the second dimension of what `make(position)` gives."""
  order = np.asarray(axis.order, np.int32)
  evens = np.arange(len(order)) % 2

  def step(
    carry: Slice, now: tuple[jax.Array, jax.Array]
  ) -> tuple[Slice, Slice]:
    position, even = now
    run, slices = materialised(platform, position), make(position)
    add = lambda i: (
      lambda c, a: run(lambda c, a, e: _halves(c, a, e)[i], c, a, even)
    )
    whole = jax.tree.map(add(0), carry, slices)
    return jax.tree.map(add(1), carry, slices), whole

  dtype = start.nngp.dtype
  now = jnp.asarray(order), jnp.asarray(evens, dtype)
  _, whole = lax.scan(step, start, now)
  return jax.tree.map(lambda a: a[2::2], whole)


def _halves(
  carry: jax.Array, a: jax.Array, even: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """The pooled slice with `a` added, and what is carried on."""
  half = carry.shape[1]
  pairs = a[:, : 2 * half].reshape(a.shape[0], half, 2, *a.shape[2:])
  first, second = pairs[:, :, 0] * 0.25, pairs[:, :, 1] * 0.25
  whole = carry + first + even * second
  return whole, second + even * (whole - second)


def hand_over(stage: Stage, state: jax.Array) -> jax.Array:
  """From the offsets that the pool delivers to those wanted next.

  Args:
    stage: static.
    state: `[y offsets, x offsets, h, w, lanes]`.
  """
  for place, axis in enumerate((stage.y, stage.x)):
    state = _relayout(state, place, axis.pooled, stage.after[place])
  return state


def _relayout(a: jax.Array, place: int, have: Axis, want: Axis) -> jax.Array:
  """Offsets `have` to `want` along axis `place`, pixels along `place + 2`."""
  if have.offsets == want.offsets:
    return a
  pick = lambda positions: jnp.take(a, np.asarray(positions), axis=place)
  if have.circulant:
    return pick([d % have.size for d in want.offsets])
  at = {d: i for i, d in enumerate(have.offsets)}
  direct = pick([at[d] for d in want.offsets])
  if not want.circulant:
    return direct
  # A circulant slice is two plain ones: pixels before the wrap, and after it.
  around = pick([at[d - want.size if d else 0] for d in want.offsets])
  d, p = np.meshgrid(want.offsets, np.arange(want.size), indexing='ij')
  shape = [1] * a.ndim
  shape[place], shape[place + 2] = d.shape
  return jnp.where((p + d < want.size).reshape(shape), direct, around)


def unpooled(stage: Stage, g: jax.Array) -> Callable[..., jax.Array]:
  """The adjoint of pooling and handing over.

  Args:
    stage: static.
    g: cotangent `[offsets, h // 2, w // 2, lanes]` of what the stage delivers.

  Returns:
    `(run, position) -> [h, w, lanes]`, with `run` from `chain.materialised`.
  """
  half = (stage.y.size // 2, stage.x.size // 2)
  wide = lambda axes: tuple(len(a.offsets) for a in axes)
  g = g.reshape(*wide(stage.after), *half, g.shape[-1])
  have = (*wide((stage.y.pooled, stage.x.pooled)), *half, g.shape[-1])
  back = jax.linear_transpose(
    lambda state: hand_over(stage, state), jax.ShapeDtypeStruct(have, g.dtype)
  )
  (g,) = back(g)
  # A plain axis has slices at both ends that feed half an offset beyond it.
  edge = [(0, 0) if a.circulant else (1, 1) for a in (stage.y, stage.x)]
  g = jnp.pad(g, (*edge, (0, 0), (0, 0), (0, 0)))
  rows, columns = (_fed(a) for a in (stage.y, stage.x))
  crop = (stage.y.size % 2, stage.x.size % 2)

  def expand(g: jax.Array, y: _Fed, x: _Fed) -> jax.Array:
    zero = jnp.zeros_like(y[0])
    pick = lambda i, j: lax.dynamic_slice(
      g,
      (y[i], x[j], zero, zero, zero),
      (1, 1, *g.shape[2:]),
      allow_negative_indices=False,
    )[0, 0]
    lines = [jnp.stack([pick(i, 0), pick(i, 1)], 2) for i in (0, 1)]
    full = jnp.stack(lines, 1).reshape(2 * half[0], 2 * half[1], -1)
    padded = jnp.pad(full, ((0, crop[0]), (0, crop[1]), (0, 0)))
    return padded * (1 / 16)

  def slice_of(run: Callable[..., jax.Array], at: Position) -> jax.Array:
    # Looked up out here: XLA would do so again for every entry.
    y = rows[0][at[0]], rows[1][at[0]]
    x = columns[0][at[1]], columns[1][at[1]]
    return run(expand, g, y, x)

  return slice_of


def _fed(axis: Axis) -> _Fed:
  """Positions of the pooled offsets that a slice's even and odd p feed."""
  d = np.asarray(axis.offsets)
  targets = [np.floor_divide(d, 2), np.floor_divide(d + 1, 2)]
  if axis.circulant:
    places = [t % (axis.size // 2) for t in targets]
  else:
    places = [t - axis.pooled.offsets[0] + 1 for t in targets]
  even, odd = (jnp.asarray(p, jnp.int32) for p in places)
  return even, odd
