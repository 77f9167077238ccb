"""What one outer step looks at: index draws, pure in the key and the step."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from dd_jax.data.source import Source
from dd_jax.types import Key, LabeledData


def uniform(key: Key, source: Source, batch_size: int) -> LabeledData:
  """Draws `batch_size` examples uniformly, with replacement: `[b, ...]`."""
  return source.take(jax.random.randint(key, (batch_size,), 0, len(source)))


def per_class(key: Key, source: Source, batch_size: int) -> LabeledData:
  """Draws `batch_size` examples of every class: `[b, k, ...]`.

  Uniform with replacement within each class, whatever its size.
  """
  count = source.class_count
  shape = (batch_size, source.num_classes)
  # Uniform floats rather than randint: the bound differs from class to class.
  position = jnp.floor(jax.random.uniform(key, shape) * count).astype(jnp.int32)
  position = jnp.minimum(position, count - 1)
  return source.take(source.class_table[jnp.arange(shape[1]), position])


def of_class(
  key: Key, source: Source, label: jax.Array, batch_size: int
) -> LabeledData:
  """Draws `batch_size` examples of the class `label`: `[b, ...]`.

  Uniform with replacement, however few it has.
  """
  count = source.class_count[label]
  position = jnp.floor(jax.random.uniform(key, (batch_size,)) * count)
  position = jnp.minimum(position.astype(jnp.int32), count - 1)
  return source.take(source.class_table[label, position])


def class_balanced(key: Key, source: Source, batch_size: int) -> LabeledData:
  """Draws `batch_size` examples, class by class in turn: `[b, ...]`.

  Classes differ by at most one example; which ones get it is drawn too.
  """
  k_class, k_position = jax.random.split(key)
  order = jax.random.permutation(k_class, source.num_classes)
  label = order[jnp.arange(batch_size) % source.num_classes]
  count = source.class_count[label]
  position = jnp.floor(
    jax.random.uniform(k_position, (batch_size,)) * count
  ).astype(jnp.int32)
  return source.take(
    source.class_table[label, jnp.minimum(position, count - 1)]
  )


def each_step(
  draw: Callable[[Key, Source, int], LabeledData], batch_size: int
) -> Callable[[Key, jax.Array, Source], LabeledData]:
  """What a method samples whose steps all look at batches of one kind.

  Args:
    draw: one of the above, such as `uniform`.
    batch_size: as `draw` has it.

  Returns:
    `(key, step, source) -> LabeledData`.
  """

  def sample(key: Key, step: jax.Array, source: Source) -> LabeledData:
    del step
    return draw(key, source, batch_size)

  return sample


class WeightedBatch(NamedTuple):
  """A batch of a sweep.

  Attributes:
    data: `[b, ...]`.
    weight: 1 for an example that the sweep shows first, 0 for a repeat:
      float32 `[b]`.
  """

  data: LabeledData
  weight: jax.Array


def sweep(step: jax.Array, source: Source, batch_size: int) -> WeightedBatch:
  """The `step`-th batch of a sweep through all examples in order.

  The last batch of a sweep wraps round to the first examples.
  """
  num_batches = -(-len(source) // batch_size)
  position = (step % num_batches) * batch_size + jnp.arange(batch_size)
  first = (position < len(source)).astype(jnp.float32)
  return WeightedBatch(source.take(position % len(source)), first)
