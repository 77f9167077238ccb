"""A clip of the gradient by its own history, for losses that explode."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from dd_jax.types import PyTree


class AverageState(NamedTuple):
  """State of `clip_to_average`: the moving average of the norm, 0 at first."""

  norm: jax.Array


def clip_to_average(
  factor: float, decay: float = 0.9
) -> optax.GradientTransformation:
  """Scales a gradient down to `factor` times the average norm so far.

  The average is that of the norms after clipping, so that a single explosion
  does not lift the bound for those that follow.
  """

  def init(params: PyTree) -> AverageState:
    dtype = jnp.result_type(*jax.tree.leaves(params))
    return AverageState(jnp.zeros((), dtype))

  def update(
    gradient: PyTree, state: AverageState, params: PyTree = None
  ) -> tuple[PyTree, AverageState]:
    del params
    norm = optax.tree.norm(gradient)
    first = state.norm == 0
    bound = jnp.where(first, norm, factor * state.norm)
    scale = jnp.where(norm > bound, bound / norm, 1.0)
    clipped = jnp.minimum(norm, bound)
    mean = jnp.where(first, norm, decay * state.norm + (1 - decay) * clipped)
    gradient = jax.tree.map(lambda g: (scale * g).astype(g.dtype), gradient)
    return gradient, AverageState(mean.astype(state.norm.dtype))

  return optax.GradientTransformation(init, update)
