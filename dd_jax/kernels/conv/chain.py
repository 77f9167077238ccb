"""One offset slice: formed, and taken through a stage's layers.

XLA on a CPU fuses an elementwise map into the nine taps of a box that reads it,
and evaluates it nine times over; nothing but a run-time conditional stops it.
`materialised` is that conditional; elsewhere it is a plain call.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from dd_jax.kernels.conv.layers import Frame, Slice, Slicewise
from dd_jax.kernels.conv.plan import Axis, Stage
from dd_jax.platform import Platform
from dd_jax.types import PyTree


class Part(NamedTuple):
  """One image of each pair, as a stage sees it.

  Attributes:
    image: a channel each `[h, w, lanes or 1]`; empty after the first stage.
    deviations: the same, for each layer that reads them.
  """

  image: tuple[jax.Array, ...]
  deviations: tuple[jax.Array, ...]


class Chain(NamedTuple):
  """What the slices of a stage have in common.

  Attributes:
    stage: static.
    state: `[offsets, h, w, lanes]`; None for the first stage.
    p: the pairs' first images.
    q: their second images, wrapped around by `extend`.
    inverse_p: reciprocals of `p`'s deviations.
    inverse_q: of `q`'s.
    ntk: whether the tangent kernel is wanted.
  """

  stage: Stage
  state: Slice | None
  p: Part
  q: Part
  inverse_p: tuple[jax.Array, ...]
  inverse_q: tuple[jax.Array, ...]
  ntk: bool


Position = tuple[jax.Array, jax.Array]
"""Where an offset stands in the lists of the two axes."""


def chain(
  stage: Stage, state: Slice | None, p: Part, q: Part, ntk: bool
) -> Chain:
  """Prepares a stage for its slices."""
  wrapped = extend(stage, q)
  inverse_p, inverse_q = (
    tuple(_inverse(a) for a in part.deviations) for part in (p, wrapped)
  )
  return Chain(stage, state, p, wrapped, inverse_p, inverse_q, ntk)


def extend(stage: Stage, part: Part) -> Part:
  """Wraps pixels around, so that the position of an offset is where to cut."""

  def wrapped(a: jax.Array) -> jax.Array:
    for place, axis in enumerate((stage.y, stage.x)):
      count = axis.size + len(axis.offsets) - 1
      index = (np.arange(count) + axis.offsets[0]) % axis.size
      a = jnp.take(a, index, axis=place)
    return a

  return jax.tree.map(wrapped, part)


def cut(stage: Stage, tree: PyTree, at: Position) -> PyTree:
  """What lies at q = p + d for every p, of extended arrays."""
  size = (stage.y.size, stage.x.size)
  return jax.tree.map(
    lambda a: lax.dynamic_slice(
      a, start(at), (*size, a.shape[-1]), allow_negative_indices=False
    ),
    tree,
  )


def start(at: Position) -> tuple[jax.Array, ...]:
  """Where a slice of `[h, w, lanes]` begins, in one integer type."""
  return (*at, jnp.zeros_like(at[0]))


def advance(c: Chain, at: Position) -> tuple[Slice, list[Any]]:
  """The slice behind the layers, and what their adjoints need."""
  x, saved = _first(c, at), []
  for layer, frame in _frames(c, at):
    x, kept = layer.forward(x, frame)
    saved.append(kept)
  return x, saved


def retreat(
  c: Chain, saved: list[Any], g: Slice, at: Position
) -> tuple[Slice, tuple[jax.Array, ...]]:
  """The adjoint: cotangents of the slice and of products of deviations."""
  layers = c.stage.layers
  if layers and layers[-1].border:
    g = jax.tree.map(border, g)
  turns = []
  for (layer, frame), kept in zip(
    reversed(_frames(c, at)), reversed(saved), strict=True
  ):
    g, turn = layer.reverse(kept, g, frame)
    if turn is not None:
      turns.append(turn)
  return g, tuple(reversed(turns))


def _first(c: Chain, at: Position) -> Slice:
  layers = c.stage.layers
  run = materialised(c.stage.platform, at[1])
  out = border if layers and layers[0].border else _same
  if c.state is not None:
    k = at[0] * len(c.stage.x.offsets) + at[1]
    pick = lambda a, k: out(
      lax.dynamic_index_in_dim(
        a, k, keepdims=False, allow_negative_indices=False
      )
    )
    return jax.tree.map(lambda a: run(pick, a, k), c.state)

  def product(x: tuple, y: tuple) -> jax.Array:
    total = sum(a * b for a, b in zip(x, y, strict=True))
    return out(total * (1 / len(x)))

  image = cut(c.stage, c.q.image, at)
  return Slice(run(product, c.p.image, image), None)


def _frames(c: Chain, at: Position) -> list[tuple[Slicewise, Frame]]:
  """Every layer and what it is told."""
  layers = c.stage.layers
  edges = [False, *(layer.border for layer in layers), False]
  pick = lambda edge: border if edge else _same
  like = c.p.image[0] if c.state is None else c.state.nngp
  masks = _masks(c.stage, at, like.dtype)
  q, inverse_q = cut(c.stage, (c.q.deviations, c.inverse_q), at)
  rows = iter(zip(c.p.deviations, q, c.inverse_p, inverse_q, strict=True))
  none = (None,) * 4
  frames = []
  for i, layer in enumerate(layers):
    p, own_q, over_p, over_q = next(rows) if layer.deviations else none
    frame = Frame(
      materialised(c.stage.platform, at[1]),
      masks,
      p,
      own_q,
      over_p,
      over_q,
      c.ntk,
      ahead=pick(edges[i + 2]),
      back=pick(edges[i]),
    )
    frames.append((layer, frame))
  return frames


def _masks(stage: Stage, at: Position, dtype: Any) -> tuple[jax.Array, ...]:
  up, down = _neighbours(stage.y, at[0])
  left, right = _neighbours(stage.x, at[1])
  columns = [m[:, None, None].astype(dtype) for m in (up, down)]
  rows = [m[None, :, None].astype(dtype) for m in (left, right)]
  return (*columns, *rows)


def _neighbours(axis: Axis, position: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Whether (p - 1, q - 1) and (p + 1, q + 1) are in the image."""
  p = jnp.arange(axis.size, dtype=jnp.int32)
  q = (p + jnp.asarray(axis.offsets, jnp.int32)[position]) % axis.size
  last = axis.size - 1
  return (p > 0) & (q > 0), (p < last) & (q < last)


def _inverse(a: jax.Array) -> jax.Array:
  return jnp.where(a > 0, 1 / jnp.where(a > 0, a, 1), 0)


def border(a: jax.Array) -> jax.Array:
  """Adds a border of one zero pixel to `[h, w, lanes]`."""
  return jnp.pad(a, ((1, 1), (1, 1), (0, 0)))


def _same(a: jax.Array) -> jax.Array:
  return a


def materialised(platform: Platform, position: jax.Array) -> Callable[..., Any]:
  """A call whose result is computed once; `position` is a traced 0 or more."""
  if not platform.computes_twice:
    return lambda function, *args: function(*args)

  def run(function: Callable[..., Any], *args: PyTree) -> Any:
    function = jax.jit(function)  # traced once for all its places below
    shapes = jax.eval_shape(function, *args)
    make = lambda s: jnp.zeros(s.shape, s.dtype)
    nothing = lambda *_: jax.tree.map(make, shapes)
    return lax.cond(position >= 0, function, nothing, *args)

  return run
