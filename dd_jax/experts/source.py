"""Segments of expert trajectories as a source of batches.

A method draws experts and epochs by index, as it draws images, and the same two
kinds of source give them: arrays on the device, read inside the compiled loop,
or memory maps on the host, fetched one block ahead by the driver.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.data.source import HostSource, Pending, Plan, Source
from dd_jax.experts.store import ExpertStore
from dd_jax.types import LabeledData, PyTree, UserError

BUDGET_BYTES = 1 << 30
"""The most device memory for trajectories."""


class Segments(NamedTuple):
  """Pieces of trajectories.

  Attributes:
    start: parameters `[s, p]`, as `flatten_util.ravel_pytree` orders them.
    target: the same networks some epochs later, `[s, p]`.
    epoch: of the start, int32 `[s]`.
  """

  start: jax.Array
  target: jax.Array
  epoch: jax.Array


class PendingSegments(NamedTuple):
  """Segments asked for and not yet fetched, each `[..., s]`."""

  expert: jax.Array
  epoch: jax.Array
  target: jax.Array


@functools.partial(
  jax.tree_util.register_dataclass,
  data_fields=('params', 'row'),
  meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class ResidentExperts:
  """Trajectories that live on the device; a pytree.

  Attributes:
    params: `[experts, rows, p]`.
    row: int32 `[epochs + 1]`: where an epoch lies.
  """

  params: jax.Array
  row: jax.Array

  @property
  def count(self) -> int:
    """Number of experts."""
    return self.params.shape[0]

  @property
  def parameters(self) -> int:
    """Numbers in one row."""
    return self.params.shape[-1]

  def take(
    self, expert: jax.Array, epoch: jax.Array, target: jax.Array
  ) -> Segments:
    """The segments from `epoch` to `target` of `expert`, each `[s]`."""
    start = self.params[expert, self.row[epoch]]
    return Segments(start, self.params[expert, self.row[target]], epoch)

  def last(self) -> jax.Array:
    """Every expert at its last epoch: `[experts, p]`."""
    return self.params[:, -1]


@functools.partial(
  jax.tree_util.register_dataclass, data_fields=(), meta_fields=('count',)
)
@dataclasses.dataclass(frozen=True)
class PlannedExperts:
  """Experts whose `take` only notes what to fetch."""

  count: int

  def take(
    self, expert: jax.Array, epoch: jax.Array, target: jax.Array
  ) -> PendingSegments:
    """Returns what to fetch."""
    return PendingSegments(expert, epoch, target)


@dataclasses.dataclass(frozen=True, eq=False)
class HostExperts:
  """Trajectories in host memory or memory maps, fetched by the driver.

  Attributes:
    params: an array `[rows, p]` for each expert.
    row: int32 `[epochs + 1]`: where an epoch lies.
  """

  params: Sequence[np.ndarray]
  row: np.ndarray

  @property
  def count(self) -> int:
    """Number of experts."""
    return len(self.params)

  @property
  def parameters(self) -> int:
    """Numbers in one row."""
    return self.params[0].shape[-1]

  def take(self, expert: Any, epoch: Any, target: Any) -> Segments:
    """See `ResidentExperts.take`; any leading axes, outside compiled code."""
    expert, epoch, target = map(np.asarray, (expert, epoch, target))
    return Segments(
      self._read(expert, epoch),
      self._read(expert, target),
      jnp.asarray(epoch, jnp.int32),
    )

  def last(self) -> jax.Array:
    """See `ResidentExperts.last`."""
    return jnp.stack([jnp.asarray(p[-1]) for p in self.params])

  def _read(self, expert: np.ndarray, epoch: np.ndarray) -> jax.Array:
    pairs = zip(expert.ravel(), self.row[epoch.ravel()], strict=True)
    found = np.stack([self.params[i][row] for i, row in pairs])
    return jnp.asarray(found.reshape(*expert.shape, -1))


@dataclasses.dataclass(frozen=True)
class _Delegating:
  """Real examples of one source, with experts beside them."""

  real: Any
  experts: Any

  @property
  def num_classes(self) -> int:
    """See `Source`."""
    return self.real.num_classes

  @property
  def image_shape(self) -> tuple[int, int, int]:
    """See `Source`."""
    return self.real.image_shape

  @property
  def class_table(self) -> jax.Array:
    """See `Source`."""
    return self.real.class_table

  @property
  def class_count(self) -> jax.Array:
    """See `Source`."""
    return self.real.class_count

  def __len__(self) -> int:
    return len(self.real)

  def take(self, indices: jax.Array) -> LabeledData:
    """See `Source.take`."""
    return self.real.take(indices)


@functools.partial(
  jax.tree_util.register_dataclass,
  data_fields=('real', 'experts'),
  meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class ExpertSource(_Delegating):
  """Both on the device (or both only planned); a pytree."""


@dataclasses.dataclass(frozen=True)
class HostExpertSource(_Delegating):
  """One of the two, or both, on the host."""

  def plan(self) -> ExpertSource:
    """The same examples and experts, as indices to be fetched later."""
    real = Plan(
      self.class_table,
      self.class_count,
      self.num_classes,
      self.image_shape,
      len(self),
    )
    return ExpertSource(real, PlannedExperts(self.experts.count))

  def fetch(self, planned: PyTree) -> PyTree:
    """Replaces what is pending in `planned` by examples and segments."""

    def fetched(x: Any) -> Any:
      if isinstance(x, PendingSegments):
        return self.experts.take(*x)
      return self.take(x.indices) if isinstance(x, Pending) else x

    pending = lambda x: isinstance(x, Pending | PendingSegments)
    return jax.tree.map(fetched, planned, is_leaf=pending)


def with_experts(
  real: Source, experts: ResidentExperts | HostExperts
) -> ExpertSource | HostExpertSource:
  """Real examples and experts as one source.

  On the device only where both are.
  """
  on_host = isinstance(experts, HostExperts) or isinstance(real, HostSource)
  return (HostExpertSource if on_host else ExpertSource)(real, experts)


def experts_of(source: Any) -> Any:
  """The experts of a source.

  Raises:
    UserError: it has none.
  """
  found = getattr(source, 'experts', None)
  if found is None:
    raise UserError(
      'source: this method matches expert trajectories and needs a source made '
      'by dd_jax.experts.with_experts'
    )
  return found


def stored_bytes(store: ExpertStore) -> int:
  """What the trajectories of a store take on a device, in bytes."""
  return sum(4 * len(store.epochs) * e['parameters'] for e in store.experts)


def load_experts(
  store: ExpertStore, budget_bytes: int = BUDGET_BYTES
) -> ResidentExperts | HostExperts:
  """The experts of a store: on the device where they fit, else memory maps.

  Args:
    store: complete.
    budget_bytes: the most device memory for them.

  Raises:
    UserError: a file is damaged.
  """
  row = np.zeros(max(store.epochs) + 1, np.int32)
  row[list(store.epochs)] = np.arange(len(store.epochs))
  resident = stored_bytes(store) <= budget_bytes
  params = [store.read(i, verify=resident) for i in range(len(store.experts))]
  if resident:
    return ResidentExperts(jnp.asarray(np.stack(params)), jnp.asarray(row))
  return HostExperts(params, row)
