"""Preprocessing: pixels to model space and back (skeleton)."""

import dataclasses
import functools

import jax
import jax.numpy as jnp


@functools.partial(
  jax.tree_util.register_dataclass,
  data_fields=('mean', 'std', 'centre', 'whiten', 'unwhiten'),
  meta_fields=('name', 'unit_norm'),
)
@dataclasses.dataclass(frozen=True)
class Preprocessing:
  """A fitted preprocessing; a pytree."""

  name: str
  mean: jax.Array
  std: jax.Array
  centre: jax.Array | None = None
  whiten: jax.Array | None = None
  unwhiten: jax.Array | None = None
  unit_norm: bool = False

  def apply(self, image: jax.Array) -> jax.Array:
    """uint8 (0-255) or float ([0, 1]) `[..., h, w, c]` to model space."""
    x = image.astype(jnp.float32)
    if image.dtype == jnp.uint8:
      x = x / 255.0
    return (x - self.mean) / self.std

  def invert(self, image: jax.Array) -> jax.Array:
    """Model space to float32 [0, 1] (not clipped)."""
    return image * self.std + self.mean
