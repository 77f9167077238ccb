"""Testers: from learners to the classes that they say, and to accuracies."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from dd_jax.data.source import HostSource, Source, classes
from dd_jax.types import Key

UNDECIDED = -1
"""The class of an answer that is not finite: a learner that diverged."""
_CHUNK = 32
_HOST_CHUNK = 1024

Predict: TypeAlias = Callable[[Key, Any, Source], jax.Array]
"""`(keys [m], data, test) -> classes int32 [m, n]`, or `UNDECIDED`."""


@dataclasses.dataclass(frozen=True)
class Tester:
  """`(keys [m], data, test) -> accuracies in [0, 1] [m]`, and what they are of.

  Attributes:
    predict: what each learner says of each test example.
  """

  predict: Predict

  def __call__(self, keys: Key, data: Any, test: Source) -> jax.Array:
    """Accuracies in [0, 1], `[m]`, one learner a key."""
    return accuracies(self.predict(keys, data, test), test)


def accuracies(predicted: jax.Array, source: Source) -> jax.Array:
  """Shares of the examples of `source` that are called right.

  Args:
    predicted: classes int32 `[..., n]`; `UNDECIDED` is wrong.
    source: the examples.

  Returns:
    float32 `[...]`.
  """
  hits = jnp.sum(predicted == classes(source), -1)
  if isinstance(source, HostSource):
    return hits / len(source)
  return _share(hits, len(source))


@functools.partial(jax.jit, static_argnums=1)
def _share(hits: jax.Array, size: int) -> jax.Array:
  return hits / size


def source_predictions(
  predict: Callable[[jax.Array], jax.Array], source: Source
) -> jax.Array:
  """The classes that `predict` gives to the examples of `source`.

  A resident source is read in chunks inside compiled code, a host source in
  larger ones outside it.

  Args:
    predict: `(image [n, h, w, c]) -> [n, k]`.
    source: real examples.

  Returns:
    int32 `[n]`; `UNDECIDED` where not all `k` numbers are finite.
  """
  size = len(source)

  def chosen(indices: jax.Array) -> jax.Array:
    batch = source.take(jnp.minimum(indices, size - 1))
    answer = predict(batch.image)
    known = jnp.isfinite(answer).all(-1)
    return jnp.where(known, answer.argmax(-1), UNDECIDED).astype(jnp.int32)

  if isinstance(source, HostSource):
    starts = range(0, size, _HOST_CHUNK)
    parts = [chosen(jnp.arange(i, i + _HOST_CHUNK)) for i in starts]
    return jnp.concatenate(parts)[:size]
  indices = jnp.arange(-(-size // _CHUNK) * _CHUNK).reshape(-1, _CHUNK)
  return jax.lax.map(chosen, indices).reshape(-1)[:size]


def source_accuracy(
  predict: Callable[[jax.Array], jax.Array], source: Source
) -> jax.Array:
  """Share of `source`'s examples that `predict` gets right, a scalar.

  See `source_predictions`.
  """
  return accuracies(source_predictions(predict, source), source)
