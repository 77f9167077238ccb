"""Which segments of the experts' trajectories an outer step matches."""

from collections.abc import Callable
from typing import NamedTuple

import jax

from dd_jax.data.source import Source
from dd_jax.experts import Segments, experts_of
from dd_jax.types import Key


class SegmentSampler(NamedTuple):
  """Which segments of the experts' trajectories are matched.

  Attributes:
    num_segments: matched in a step.
    length: M, in epochs.
    stop: the first epoch that none starts from, or `(step) -> epoch`.
    first: the earliest start.
  """

  num_segments: int
  length: int
  stop: int | Callable[[jax.Array], jax.Array]
  first: int = 0

  def stop_at(self, step: jax.Array) -> int | jax.Array:
    """The first epoch that none starts from in the outer step `step`."""
    return self.stop(step) if callable(self.stop) else self.stop

  def sample(self, key: Key, step: jax.Array, source: Source) -> Segments:
    """Draws experts and starts uniformly."""
    experts = experts_of(source)
    k_expert, k_epoch = jax.random.split(key)
    shape = (self.num_segments,)
    expert = jax.random.randint(k_expert, shape, 0, experts.count)
    epoch = jax.random.randint(k_epoch, shape, self.first, self.stop_at(step))
    drawn: Segments = experts.take(expert, epoch, epoch + self.length)
    return drawn
