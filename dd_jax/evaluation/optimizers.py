"""Optimisers that protocols train learners with, where optax has none."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from dd_jax.types import PyTree


class RestartState(NamedTuple):
  """State of `restarted_sgd`."""

  step: jax.Array
  momentum: PyTree


def restarted_sgd(
  step_size: float | jax.Array,
  restart: int,
  *,
  momentum: float,
  weight_decay: float,
) -> optax.GradientTransformation:
  """SGD whose rate drops to a tenth at step `restart`, momentum from zero."""

  def init(params: PyTree) -> RestartState:
    zeros = jax.tree.map(jnp.zeros_like, params)
    return RestartState(jnp.zeros((), jnp.int32), zeros)

  def update(
    gradient: PyTree, state: RestartState, params: PyTree = None
  ) -> tuple[PyTree, RestartState]:
    kept = jnp.where(state.step == restart, 0.0, momentum)
    rate = jnp.where(state.step < restart, step_size, 0.1 * step_size)
    trace = jax.tree.map(
      lambda g, p, m: kept * m + g + weight_decay * p,
      gradient,
      params,
      state.momentum,
    )
    updates = jax.tree.map(lambda m: -rate * m, trace)
    return updates, RestartState(state.step + 1, trace)

  return optax.GradientTransformation(init, update)


def warmed_adam(
  step_size: float, num_steps: int, *, final: float
) -> optax.GradientTransformation:
  """Adam from 0 up to `step_size`, then by a cosine down to `final`.

  The way up takes 500 steps, or half of them where there are fewer than 1,000.
  """
  warm_up = min(500, num_steps // 2)
  return optax.adam(
    optax.warmup_cosine_decay_schedule(
      0.0, step_size, warm_up, num_steps, final
    )
  )


def decay_to_start(strength: float) -> optax.GradientTransformation:
  """Adds `strength (params - where they started)` to the gradient."""

  def init(params: PyTree) -> PyTree:
    return jax.tree.map(jnp.array, params)

  def update(
    updates: PyTree, state: PyTree, params: PyTree = None
  ) -> tuple[PyTree, PyTree]:
    moved = jax.tree.map(
      lambda u, p, s: u + strength * (p - s), updates, params, state
    )
    return moved, state

  return optax.GradientTransformation(init, update)
