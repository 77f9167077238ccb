"""Where real examples come from: random access by index, on device or host.

`sample` functions draw indices with `jax.random` and call `source.take`: the
one data access. A `ResidentSource` is taken inside the compiled loop. A
`HostSource` cannot be; the driver runs `sample` on its `plan()`, whose `take`
returns the indices themselves, and fetches those examples one chunk ahead.
Both give the same batches.
"""

import dataclasses
import functools
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.data.preprocess import Preprocessing
from dd_jax.types import LabeledData, PyTree, UserError


class Source(Protocol):
  """Random access to labelled examples in model space.

  Attributes:
    num_classes: `k`.
    image_shape: `(h, w, c)`.
    class_table: int32 `[k, m]`: row `j` lists the examples of class `j`, and
      is padded by repeating them.
    class_count: int32 `[k]`: how many examples each class has.
  """

  @property
  def num_classes(self) -> int:
    """See the class."""
    ...

  @property
  def image_shape(self) -> tuple[int, int, int]:
    """See the class."""
    ...

  @property
  def class_table(self) -> jax.Array:
    """See the class."""
    ...

  @property
  def class_count(self) -> jax.Array:
    """See the class."""
    ...

  def __len__(self) -> int: ...
  def take(self, indices: jax.Array) -> LabeledData:
    """Returns the examples `indices [...]`: image `[..., h, w, c]` float32 in
    model space, label `[..., k]` float32 one-hot.
    """
    ...


def classes(source: Source) -> jax.Array:
  """The class of every example, in order: int32 `[n]`."""
  held, numbers = source.class_count > 0, jnp.arange(source.num_classes)
  rows = jnp.where(held[:, None], source.class_table, len(source))
  found = jnp.zeros(len(source), jnp.int32)
  return found.at[rows].set(numbers[:, None], mode='drop')


def class_table(label: np.ndarray, num_classes: int) -> tuple[np.ndarray, ...]:
  """Lists the members of each class: `(table [k, m], count [k])`, int32."""
  members = [np.flatnonzero(label == c) for c in range(num_classes)]
  count = np.array([len(m) for m in members], np.int32)
  width = max(1, int(count.max(initial=1)))
  table = np.stack(
    [np.resize(m, width) if len(m) else np.zeros(width) for m in members]
  )
  return table.astype(np.int32), count


@functools.partial(
  jax.tree_util.register_dataclass,
  data_fields=('image', 'label', 'class_table', 'class_count', 'preprocessing'),
  meta_fields=('num_classes',),
)
@dataclasses.dataclass(frozen=True)
class ResidentSource:
  """Examples that live on the device; a pytree, passed to compiled code.

  Attributes:
    image: `[n, h, w, c]`, uint8 as stored, or float32 already in model space.
    label: int32 `[n]`.
    class_table: see `Source`.
    class_count: see `Source`.
    preprocessing: applied by `take` to uint8 images; None where `image` is in
      model space.
    num_classes: `k`.
  """

  image: jax.Array
  label: jax.Array
  class_table: jax.Array
  class_count: jax.Array
  preprocessing: Preprocessing | None
  num_classes: int

  @property
  def image_shape(self) -> tuple[int, int, int]:
    """`(h, w, c)`."""
    h, w, c = self.image.shape[1:]
    return h, w, c

  def __len__(self) -> int:
    return self.image.shape[0]

  def take(self, indices: jax.Array) -> LabeledData:
    """See `Source.take`."""
    image = self.image[indices]
    if self.preprocessing is not None:
      image = self.preprocessing.apply(image)
    return _labeled(image, self.label[indices], self.num_classes)


def _labeled(image: jax.Array, label: Any, num_classes: int) -> LabeledData:
  """With one-hot labels, in the images' own precision."""
  one_hot = jax.nn.one_hot(label, num_classes, dtype=image.dtype)
  return LabeledData(image, one_hot)


class Pending(NamedTuple):
  """Examples asked for and not yet fetched."""

  indices: jax.Array

  @property
  def image(self) -> jax.Array:
    """There is none yet.

    Raises:
      UserError: says where they will be.
    """
    raise UserError(
      'sample: draws indices alone, for data on the host have no images before '
      'they are fetched; look at images in the loss'
    )

  @property
  def label(self) -> jax.Array:
    """As `image`."""
    return self.image


@functools.partial(
  jax.tree_util.register_dataclass,
  data_fields=('class_table', 'class_count'),
  meta_fields=('num_classes', 'image_shape', 'size'),
)
@dataclasses.dataclass(frozen=True)
class Plan:
  """A source whose `take` only notes the indices."""

  class_table: jax.Array
  class_count: jax.Array
  num_classes: int
  image_shape: tuple[int, int, int]
  size: int

  def __len__(self) -> int:
    return self.size

  def take(self, indices: jax.Array) -> Pending:
    """Returns what to fetch."""
    return Pending(indices)


@dataclasses.dataclass(frozen=True)
class HostSource:
  """Examples in host memory or a memory map, fetched by the driver.

  Attributes:
    image: NumPy `[n, h, w, c]`, uint8, or float32 in model space.
    label: NumPy int32 `[n]`.
    preprocessing: as in `ResidentSource`.
    num_classes: `k`.
  """

  image: np.ndarray
  label: np.ndarray
  preprocessing: Preprocessing | None
  num_classes: int

  @property
  def image_shape(self) -> tuple[int, int, int]:
    """`(h, w, c)`."""
    h, w, c = self.image.shape[1:]
    return h, w, c

  @functools.cached_property
  def _classes(self) -> tuple[np.ndarray, ...]:
    return class_table(np.asarray(self.label), self.num_classes)

  @property
  def class_table(self) -> jax.Array:
    """See `Source`."""
    return jnp.asarray(self._classes[0])

  @property
  def class_count(self) -> jax.Array:
    """See `Source`."""
    return jnp.asarray(self._classes[1])

  def __len__(self) -> int:
    return len(self.image)

  def take(self, indices: Any) -> LabeledData:
    """See `Source.take`; on the host, outside compiled code."""
    indices = np.asarray(indices)
    image = jnp.asarray(self.image[indices])
    if self.preprocessing is not None:
      image = self.preprocessing.apply(image)
    return _labeled(image, self.label[indices], self.num_classes)

  def plan(self) -> Plan:
    """The same examples, as indices to be fetched later."""
    return Plan(
      self.class_table,
      self.class_count,
      self.num_classes,
      self.image_shape,
      len(self),
    )

  def fetch(self, planned: PyTree) -> PyTree:
    """Replaces every `Pending` in `planned` by its examples."""
    return jax.tree.map(
      lambda x: self.take(x.indices) if isinstance(x, Pending) else x,
      planned,
      is_leaf=lambda x: isinstance(x, Pending),
    )


def resident(
  image: np.ndarray,
  label: np.ndarray,
  num_classes: int,
  preprocessing: Preprocessing | None,
) -> ResidentSource:
  """Puts examples on the default device; see `ResidentSource`."""
  table, count = class_table(np.asarray(label), num_classes)
  return ResidentSource(
    jnp.asarray(image),
    jnp.asarray(label, jnp.int32),
    jnp.asarray(table),
    jnp.asarray(count),
    preprocessing,
    num_classes,
  )
