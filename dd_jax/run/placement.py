"""Where arrays lie: on one device, or over the devices of a mesh."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec

from dd_jax.types import PyTree


class Placement:
  """Where arrays lie: on one device, or over the `data` axis of a mesh.

  Attributes:
    messages: which batches could not be split, filled while tracing.
  """

  def __init__(self, mesh: jax.sharding.Mesh | None) -> None:
    self._mesh = mesh
    self.messages: list[str] = []

  def put(self, tree: PyTree) -> PyTree:
    """Copies `tree` to new, strongly typed buffers, on every device."""
    return self.replicate(jax.tree.map(_own, tree))

  def replicate(self, tree: PyTree) -> PyTree:
    """Puts `tree` on every device."""
    if self._mesh is None:
      return tree
    return jax.device_put(tree, NamedSharding(self._mesh, PartitionSpec()))

  def split(self, batch: PyTree) -> PyTree:
    """Splits the leading axis of traced leaves over the devices."""
    if self._mesh is None:
      return batch
    return jax.tree.map(
      lambda x: jax.lax.with_sharding_constraint(x, self._sharding(x.shape)),
      batch,
    )

  def split_block(self, block: PyTree) -> PyTree:
    """As `split`, of batches stacked on a further axis in front."""
    if self._mesh is None:
      return block
    return jax.tree.map(
      lambda x: jax.device_put(x, self._sharding(x.shape[1:], (None,))), block
    )

  def outputs(self) -> dict[str, Any]:
    """How `jax.jit` is told that what comes back is on every device."""
    if self._mesh is None:
      return {}
    return {'out_shardings': NamedSharding(self._mesh, PartitionSpec())}

  def _sharding(
    self, shape: tuple[int, ...], before: tuple[None, ...] = ()
  ) -> NamedSharding:
    assert self._mesh is not None
    count = self._mesh.shape['data']
    if shape and shape[0] % count == 0:
      return NamedSharding(self._mesh, PartitionSpec(*before, 'data'))
    text = (
      f'a batch of leading size {shape[0] if shape else 1} does not '
      f'divide over {count} devices: each of them computes all of it'
    )
    if text not in self.messages:
      self.messages.append(text)
    return NamedSharding(self._mesh, PartitionSpec())


def _own(x: Any) -> jax.Array:
  if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
    return jnp.copy(x)
  return jnp.array(x, dtype=jnp.asarray(x).dtype, copy=True)
