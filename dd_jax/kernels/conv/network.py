"""A whole network on a block of image pairs, its adjoint, and the variances."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from dd_jax.derivatives import last
from dd_jax.kernels.conv import stage as stages
from dd_jax.kernels.conv.chain import Part
from dd_jax.kernels.conv.layers import Slice
from dd_jax.kernels.conv.plan import Plan, Stage
from dd_jax.kernels.dense import Moments

SECOND = 'the second derivative of a convolutional kernel in its images'


class Side(NamedTuple):
  """What the kernel needs of each image; lanes come last in every array.

  Attributes:
    image: a channel each `[h, w, lanes]`.
    deviations: for each stage, of the input of every nonlinearity, a tuple of
      `[h, w, lanes]`.
    variance: of the head's features, `[lanes]`; 0 where the tail needs none.
  """

  image: tuple[jax.Array, ...]
  deviations: tuple[tuple[jax.Array, ...], ...]
  variance: jax.Array


def side(plan: Plan, channels: tuple[jax.Array, ...]) -> Side:
  """Everything about single images, once per image.

  Gradients pass through, once and in reverse mode.

  Args:
    plan: of the images' shape.
    channels: of the images, `[h, w, lanes]` each.
  """
  variance = functools.reduce(jnp.add, [x * x for x in channels])
  variance /= len(channels)
  state, deviations = None, []
  for i, stage in enumerate(plan.stages):
    own, variance = _deviations(stage, variance)
    deviations.append(own)
    if i < len(plan.own):
      state = _own_kernel(plan.own[i], state, channels, own)
      zero = _zero_offset(plan.own[i])
      variance = state.nngp[zero]
  if plan.tail_variances:
    return Side(channels, tuple(deviations), variance.mean((0, 1)))
  return Side(channels, tuple(deviations), jnp.zeros_like(variance[0, 0]))


def _deviations(
  stage: Stage, variance: jax.Array
) -> tuple[tuple[jax.Array, ...], jax.Array]:
  """Those that the stage's layers read, and the variances behind it."""
  found = []
  for layer in stage.layers:
    if layer.deviations:
      zero = variance <= 0
      root = jnp.sqrt(jnp.where(zero, 1, variance))
      found.append(jnp.where(zero, 0, root))
    variance = layer.diagonal(variance)
  return tuple(found), variance


def _zero_offset(stage: Stage) -> int:
  y, x = stage.after
  return y.offsets.index(0) * len(x.offsets) + x.offsets.index(0)


def _own_kernel(
  stage: Stage,
  state: Slice | None,
  channels: tuple[jax.Array, ...],
  deviations: tuple[jax.Array, ...],
) -> Slice:
  """A stage of the kernel of each image with itself.

  It is symmetric in its two images, so that its gradient is twice the one with
  respect to the first; the second is held fixed.
  """
  first = channels if state is None else ()
  part = Part(first, deviations)
  fixed = jax.tree.map(jax.lax.stop_gradient, part)
  twice = jax.tree.map(lambda a, b: 2 * a - b, part, fixed)

  @jax.custom_vjp
  def kernel(state: Slice | None, p: Part, q: Part) -> Slice:
    return stages.forward(stage, state, p, q, ntk=False)

  def keep(state, p, q):  # type: ignore[no-untyped-def]
    return kernel(state, p, q), (state, p, q)

  def back(kept, g):  # type: ignore[no-untyped-def]
    state, p, q = last(kept, SECOND)
    g_state, g_p, _ = stages.reverse(stage, state, p, q, g, sides=(True, False))
    return g_state, g_p, None

  kernel.defvjp(keep, back)
  return kernel(state, twice, fixed)


def forward(
  plan: Plan, p: Side, q: Side, ntk: bool
) -> tuple[jax.Array, tuple[Slice, ...]]:
  """The kernel of a block of pairs.

  Args:
    plan: static.
    p: first images, their lanes as many as pairs or one for all.
    q: second images, likewise.
    ntk: the NTK, or the NNGP.

  Returns:
    Values `[lanes]`, and what each stage delivered, for `reverse`.
  """
  state, kept = None, []
  for i, stage in enumerate(plan.stages):
    state = stages.forward(stage, state, _part(p, i), _part(q, i), ntk)
    kept.append(state)
  assert state is not None
  return _tail(plan, state, p.variance, q.variance, ntk), tuple(kept)


def reverse(
  plan: Plan,
  p: Side,
  q: Side,
  kept: tuple[Slice, ...],
  g: jax.Array,
  *,
  ntk: bool,
  sides: tuple[bool, bool],
) -> tuple[Side | None, Side | None]:
  """The adjoint of `forward`.

  Args:
    plan: static.
    p: as given to `forward`.
    q: likewise.
    kept: what `forward` returned.
    g: cotangent of the values, `[lanes]`.
    ntk: as given to `forward`.
    sides: whether the cotangents of `p` and of `q` are wanted.

  Returns:
    Those cotangents, or None.
  """
  tail = lambda state, vp, vq: _tail(plan, state, vp, vq, ntk)
  _, back = jax.vjp(tail, kept[-1], p.variance, q.variance)
  state, *variances = back(g)
  parts: list[tuple[Part | None, Part | None]] = []
  for i in reversed(range(len(plan.stages))):
    before = kept[i - 1] if i else None
    state, *found = stages.reverse(
      plan.stages[i], before, _part(p, i), _part(q, i), state, sides=sides
    )
    parts.append((found[0], found[1]))
  found_p, found_q = zip(*reversed(parts), strict=True)
  return _sides(found_p, variances[0]), _sides(found_q, variances[1])


def _sides(parts: tuple[Part | None, ...], variance: jax.Array) -> Side | None:
  found = [part for part in parts if part is not None]
  if not found:
    return None
  deviations = tuple(part.deviations for part in found)
  return Side(found[0].image, deviations, variance)


def _part(side: Side, i: int) -> Part:
  return Part(() if i else side.image, side.deviations[i])


def _tail(
  plan: Plan, state: Slice, vp: jax.Array, vq: jax.Array, ntk: bool
) -> jax.Array:
  """The head's mean over pixel pairs, and the layers after it."""
  pixels = plan.last.height * plan.last.width
  count = pixels**2 if plan.head.spread else pixels
  nngp = state.nngp.sum((0, 1, 2)) / count
  zero = jnp.zeros_like(nngp)
  tangent = zero if state.ntk is None else state.ntk.sum((0, 1, 2)) / count
  moments = Moments(nngp, tangent, vp + zero, vq + zero)
  for layer in plan.tail:
    moments = layer.forward(moments)
  return moments.ntk if ntk else moments.nngp
