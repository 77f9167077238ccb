"""Whole Gram matrices, a block of pairs at a time.

Memory is that of one block, and of what the reverse pass can reuse where all of
it fits the budget; else the reverse pass computes each block anew. A block is
some images of one side, one a lane, with a single image of the other side. The
images of a block lie a stride apart, so that rows sharded over a mesh stay
where they are.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.derivatives import last
from dd_jax.kernels.conv import network
from dd_jax.kernels.conv.layers import Slice
from dd_jax.kernels.conv.network import Side
from dd_jax.kernels.conv.plan import Plan
from dd_jax.types import PyTree, UserError

_VECTOR = 16


class Engine(NamedTuple):
  """A network for one image shape, and what it may use.

  Attributes:
    plan: static.
    ntk: the NTK, or the NNGP.
    budget: bytes for blocks and for what the reverse pass reuses.
  """

  plan: Plan
  ntk: bool
  budget: int


def state_bytes(engine: Engine, itemsize: int) -> int:
  """Of what the stages deliver, per pair."""
  count = 0
  for stage in engine.plan.stages:
    y, x = stage.after
    pixels = y.size * x.size if stage.pooled else 0
    count += len(y.offsets) * len(x.offsets) * pixels
  return count * itemsize * (1 + engine.ntk)


def pair_bytes(engine: Engine, itemsize: int) -> int:
  """Of a block with its reverse pass, per pair: an estimate from above."""
  slices = 0
  for stage in engine.plan.stages:
    area = stage.y.size * stage.x.size
    rows = len(stage.x.offsets) * area // 2 if stage.pooled else 0
    slices = max(slices, 24 * area + rows)
  return 3 * state_bytes(engine, itemsize) + 2 * slices * itemsize


def num_lanes(engine: Engine, wanted: int, itemsize: int) -> int:
  """Pairs in a block.

  Raises:
    UserError: not even the smallest block fits the budget.
  """
  each = pair_bytes(engine, itemsize)
  most = engine.budget // each // _VECTOR * _VECTOR
  if not most:
    raise UserError(
      f'kernel.budget_mib={engine.budget >> 20}: the smallest block, '
      f'{_VECTOR} pairs of {engine.plan.shape.height}x'
      f'{engine.plan.shape.width} images, takes {-(-each * _VECTOR >> 20)} MiB'
    )
  area = engine.plan.shape.height * engine.plan.shape.width
  slice_bytes = engine.plan.platform.slice_bytes
  if slice_bytes:
    most = min(most, max(2 * _VECTOR, slice_bytes // (area * itemsize)))
  most = max(_VECTOR, most // _VECTOR * _VECTOR)
  blocks = -(-wanted // most)
  return -(-wanted // blocks // _VECTOR) * _VECTOR


def side(engine: Engine, image: jax.Array) -> Side:
  """What the kernel needs of images `[n, h, w, c]`, a block at a time."""
  channels = tuple(jnp.moveaxis(image, (0, 3), (3, 0)))
  lanes = num_lanes(engine, len(image), image.dtype.itemsize)
  cut = lambda tree: _laned(tree, lanes, -(-len(image) // lanes))
  sides = jax.lax.map(lambda c: network.side(engine.plan, c), cut(channels))

  def whole(a: jax.Array) -> jax.Array:
    a = jnp.moveaxis(a, 0, -1)
    return a.reshape(*a.shape[:-2], -1)[..., : len(image)]

  return jax.tree.map(whole, sides)


def _laned(tree: PyTree, lanes: int, blocks: int) -> PyTree:
  """Cuts the last axis into `blocks` of `lanes`, which lead."""

  def laned(a: jax.Array) -> jax.Array:
    room = lanes * blocks - a.shape[-1]
    a = jnp.pad(a, [(0, 0)] * (a.ndim - 1) + [(0, room)])
    return jnp.moveaxis(a.reshape(*a.shape[:-1], lanes, blocks), -1, 0)

  return jax.tree.map(laned, tree)


def _singles(tree: PyTree) -> PyTree:
  """Images lead, a lane each."""
  return jax.tree.map(lambda a: jnp.moveaxis(a, -1, 0)[..., None], tree)


def cross(engine: Engine) -> Callable[[Side, Side], jax.Array]:
  """The kernel of two batches, `(first [n], second [m]) -> [n, m]`.

  Reverse mode gives exact gradients, once, in whichever argument has one.
  """

  @jax.custom_vjp
  def kernel(first: Side, second: Side) -> jax.Array:
    return _values(_Tiles(engine, first, second), keep=False)[0]

  def keep(first, second):  # type: ignore[no-untyped-def]
    wanted = _moves(first), _moves(second)
    sides = _values_of(first), _values_of(second)
    # A lone moving side comes first: its sums need no shifts.
    swapped = wanted == (False, True)
    tiles = _Tiles(engine, *(sides[::-1] if swapped else sides))
    fits = _reusable(engine, tiles.num_pairs, tiles.dtype)
    k, kept = _values(tiles, keep=fits)
    flags = (swapped or None, all(wanted) or None)
    return k.T if swapped else k, (sides, kept, _Static(flags))

  def back(residuals, g):  # type: ignore[no-untyped-def]
    *residuals, static = residuals
    sides, kept = last(tuple(residuals), network.SECOND)
    swapped, both = static.value
    if swapped:
      tiles = _Tiles(engine, *sides[::-1])
      return None, _pull(tiles, kept, g.T, both=False)[0]
    return _pull(_Tiles(engine, *sides), kept, g, both=bool(both))

  kernel.defvjp(keep, back, symbolic_zeros=True)
  return kernel


@jax.tree_util.register_static
class _Static(NamedTuple):
  """Passes what is known while tracing from the forward to the reverse pass."""

  value: tuple


def _moves(tree: PyTree) -> bool:
  return any(leaf.perturbed for leaf in jax.tree.leaves(tree))


def _values_of(tree: PyTree) -> PyTree:
  return jax.tree.map(lambda leaf: leaf.value, tree)


def _reusable(engine: Engine, pairs: int, dtype: Any) -> bool:
  """Whether what all pairs leave behind fits the budget."""
  return state_bytes(engine, dtype.itemsize) * pairs <= engine.budget


class _Tiles:
  """How the pairs of two batches are cut into blocks."""

  def __init__(self, engine: Engine, p: Side, q: Side) -> None:
    self.engine = engine
    self.dtype = p.variance.dtype
    self.counts = (len(p.variance), len(q.variance))
    self.num_pairs = self.counts[0] * self.counts[1]
    # The longer side fills the lanes, rows where both are long.
    self.p_lanes = self.counts[0] >= min(self.counts[1], 2 * _VECTOR)
    wanted = self.counts[0 if self.p_lanes else 1]
    self.lanes = num_lanes(engine, wanted, self.dtype.itemsize)
    self.blocks = -(-wanted // self.lanes)
    self.p, self.q = self.cut_p(p), self.cut_q(q)
    self.whole = (p, q)

  def cut_p(self, side: Side) -> Side:
    """Blocks lead."""
    return (
      _laned(side, self.lanes, self.blocks) if self.p_lanes else _singles(side)
    )

  def cut_q(self, side: Side) -> Side:
    """Blocks lead."""
    return (
      _singles(side) if self.p_lanes else _laned(side, self.lanes, self.blocks)
    )

  def matrix(self, values: jax.Array) -> jax.Array:
    """`[p blocks, q blocks, lanes]` to `[n, m]`."""
    n, m = self.counts
    if self.p_lanes:
      return jnp.moveaxis(values, -1, 0).reshape(-1, m)[:n]
    return jnp.swapaxes(values, 1, 2).reshape(n, -1)[:, :m]

  def tiles(self, g: jax.Array) -> jax.Array:
    """The transpose of `matrix`."""
    shape = (
      len(self.p.variance),
      len(self.q.variance),
      self.lanes,
    )
    values = jax.ShapeDtypeStruct(shape, g.dtype)
    return jax.linear_transpose(self.matrix, values)(g)[0]


def _values(
  tiles: _Tiles, keep: bool
) -> tuple[jax.Array, tuple[Slice, ...] | None]:
  """The matrix, and what every block left behind."""
  engine = tiles.engine

  def one(p: Side, q: Side) -> tuple:
    value, kept = network.forward(engine.plan, p, q, engine.ntk)
    return value, kept if keep else None

  row = lambda p: jax.lax.map(lambda q: one(p, q), tiles.q)
  values, kept = jax.lax.map(row, tiles.p)
  return tiles.matrix(values), kept


def _pull(
  tiles: _Tiles, kept: tuple[Slice, ...] | None, g: jax.Array, both: bool
) -> tuple[Side, Side | None]:
  """The adjoint of `_values`, for the first side or both."""
  engine = tiles.engine
  add = lambda a, b: jax.tree.map(jnp.add, a, b)

  def column(p: Side, total: Side, now: tuple) -> tuple[Side, Side | None]:
    q, g, left = now
    g_p, g_q = _block_reverse(engine, p, q, left, g, both)
    return add(total, g_p), g_q

  def row(total: Side | None, now: tuple) -> tuple[Side | None, Side]:
    p, g, left = now
    start = jax.tree.map(jnp.zeros_like, p)
    step = lambda sums, item: column(p, sums, item)
    g_p, g_q = jax.lax.scan(step, start, (tiles.q, g, left))
    return add(total, g_q), g_p

  start = jax.tree.map(jnp.zeros_like, tiles.q) if both else None
  work = (tiles.p, tiles.tiles(g), kept)
  g_q, g_p = jax.lax.scan(row, start, work)
  p, q = tiles.whole
  (whole_p,) = jax.linear_transpose(tiles.cut_p, p)(g_p)
  if not both:
    return whole_p, None
  return whole_p, jax.linear_transpose(tiles.cut_q, q)(g_q)[0]


def _block_reverse(
  engine: Engine,
  p: Side,
  q: Side,
  kept: tuple[Slice, ...] | None,
  g: jax.Array,
  both: bool,
) -> tuple[Side, Side | None]:
  if kept is None:
    _, kept = network.forward(engine.plan, p, q, engine.ntk)
  g_p, g_q = network.reverse(
    engine.plan, p, q, kept, g, ntk=engine.ntk, sides=(True, both)
  )
  assert g_p is not None
  return g_p, g_q


def symmetric(engine: Engine) -> Callable[[Side], jax.Array]:
  """The kernel of a batch with itself, `side [n] -> [n, n]`.

  One triangle is computed, forwards and in the reverse pass.
  """

  @jax.custom_vjp
  def kernel(side: Side) -> jax.Array:
    return triangle(side, keep=False)[0]

  def triangle(side: Side, keep: bool) -> tuple:
    n = len(side.variance)
    rows, columns, blocks = _pairs(engine, n, side.variance.dtype)

    def one(pair: jax.Array) -> tuple:
      p, q = _picked(side, pair[0]), _picked(side, pair[1])
      value, kept = network.forward(engine.plan, p, q, engine.ntk)
      return value, kept if keep else None

    values, kept = jax.lax.map(one, blocks)
    values = values.reshape(-1)[: len(rows)]
    half = jnp.zeros((n, n), values.dtype).at[rows, columns].set(values)
    return half.at[columns, rows].set(values), kept

  def keep(side: Side) -> tuple:
    n = len(side.variance)
    fits = _reusable(engine, n * (n + 1) // 2, side.variance.dtype)
    k, kept = triangle(side, fits)
    return k, (side, kept)

  def back(residuals: tuple, g: jax.Array) -> tuple[Side]:
    side, kept = last(residuals, network.SECOND)
    rows, columns, blocks = _pairs(engine, len(g), g.dtype)
    weight = (g + g.T)[rows, columns] * np.where(rows == columns, 0.5, 1)
    room = blocks.shape[0] * blocks.shape[2] - len(rows)
    weight = jnp.pad(weight.astype(g.dtype), (0, room))
    weight = weight.reshape(blocks.shape[0], -1)

    def step(total: Side, now: tuple) -> tuple[Side, None]:
      pair, weight, left = now
      pick = [_picked(side, index) for index in pair]
      found = _block_reverse(engine, pick[0], pick[1], left, weight, True)
      for index, one in zip(pair, found, strict=True):
        add = lambda a, b, index=index: a.at[..., index].add(b)
        total = jax.tree.map(add, total, one)
      return total, None

    start = jax.tree.map(jnp.zeros_like, side)
    return (jax.lax.scan(step, start, (blocks, weight, kept))[0],)

  kernel.defvjp(keep, back)
  return kernel


def _pairs(
  engine: Engine, n: int, dtype: Any
) -> tuple[np.ndarray, np.ndarray, jax.Array]:
  """The triangle's rows and columns, and both in blocks `[b, 2, lanes]`."""
  rows, columns = np.triu_indices(n)
  lanes = num_lanes(engine, len(rows), dtype.itemsize)
  room = -len(rows) % lanes
  padded = np.pad(np.stack([rows, columns]), ((0, 0), (0, room)))
  blocks = padded.astype(np.int32).reshape(2, -1, lanes)
  return rows, columns, jnp.asarray(blocks.swapaxes(0, 1))


def _picked(side: Side, index: jax.Array) -> Side:
  return jax.tree.map(lambda a: a[..., index], side)
