"""Random numbers, the same whatever the dtype of the images."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from dd_jax.types import Key


def symmetric(key: Key, shape: tuple[int, ...] = ()) -> jax.Array:
  """Uniform in [-1, 1), always float32."""
  return jax.random.uniform(key, shape, jnp.float32, -1.0, 1.0)


def integers(key: Key, low: Sequence[int], high: Sequence[int]) -> jax.Array:
  """Uniform integers, both bounds included, always int32."""
  return jax.random.randint(
    key,
    (len(low),),
    jnp.array(low, jnp.int32),
    jnp.array(high, jnp.int32) + 1,
    jnp.int32,
  )
