"""Many outer steps in one call of one program.

A `fori_loop` whose trip count is traced: every chunk length runs the same code
and gives the same bits. Metrics go into a buffer and come back once a call.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from dd_jax.types import Key, PyTree

ROWS = 1024
"""The most steps of one call: the length of its metrics buffer."""


def run_chunk(
  update: Callable[..., Any],
  draw: Callable[..., Any],
  split: Callable[[PyTree], PyTree],
  state: PyTree,
  key: Key,
  data: PyTree,
  first: jax.Array,
  count: jax.Array,
) -> tuple[PyTree, dict[str, jax.Array], jax.Array]:
  """Runs the outer steps `first` to `first + count - 1`.

  Returns:
    The state; every metric `[ROWS]`, of which `count` are set; and for each
    leaf of the state whether it is finite.
  """
  update = jax.jit(update)  # so that it is traced once, not twice

  def one(t: jax.Array, state: PyTree) -> tuple[PyTree, PyTree]:
    k_sample, k_update = jax.random.split(jax.random.fold_in(key, t))
    return update(k_update, t, state, split(draw(k_sample, t, data)))

  def body(i: jax.Array, carry: PyTree) -> PyTree:
    state, buffer = carry
    state, metrics = one(first + i, state)
    return state, jax.tree.map(lambda b, m: b.at[i].set(m), buffer, metrics)

  shapes = jax.eval_shape(one, first, state)[1]
  buffer = jax.tree.map(lambda x: jnp.zeros((ROWS,), x.dtype), shapes)
  state, buffer = jax.lax.fori_loop(0, count, body, (state, buffer))
  return state, buffer, finite_leaves(state)


def finite_leaves(state: PyTree) -> jax.Array:
  """For each leaf, whether all of it is finite: bool `[leaves]`."""
  return jnp.array(
    [
      jnp.all(jnp.isfinite(x)) if jnp.issubdtype(x.dtype, jnp.inexact) else True
      for x in jax.tree.leaves(state)
    ],
    bool,
  )
