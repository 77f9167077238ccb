"""Testers: learners of a set, and what they answer to real examples."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from dd_jax.data.source import HostSource, Source, classes
from dd_jax.networks import Network
from dd_jax.platform import Platform
from dd_jax.training import train_many
from dd_jax.types import Key, PyTree

UNDECIDED = -1
"""The class of an answer that is not finite: a learner that diverged."""
_CHUNK = 32
_HOST_CHUNK = 1024

Answer: TypeAlias = Callable[[jax.Array], jax.Array]
"""`(image [n, h, w, c]) -> [n, k]`, the largest of which names the class."""
Look: TypeAlias = Callable[[Answer, Any], PyTree]
"""`(answer of one learner, what it is asked about) -> arrays`, traced."""


@dataclasses.dataclass(frozen=True, eq=False)
class Tester:
  """`(keys [m], data, test) -> accuracies in [0, 1] [m]`, and what they are of.

  Attributes:
    fit: `(keys [m], data) -> learners`, leaves `[m, ...]`: one learner a key,
      which depends on that key alone.
    answer: `(learner, image [n, h, w, c]) -> [n, k]`, traced.
    platform: what learners run on.
    mesh: whose `data` axis they are split over, or None.
    network: what is trained; None where nothing is.
  """

  fit: Callable[[Key, Any], PyTree]
  answer: Callable[[PyTree, jax.Array], jax.Array]
  platform: Platform
  mesh: jax.sharding.Mesh | None = None
  network: Network | None = None

  def __call__(self, keys: Key, data: Any, test: Source) -> jax.Array:
    """Accuracies in [0, 1], `[m]`, one learner a key."""
    return accuracies(self.predict(keys, data, test), test)

  def predict(self, keys: Key, data: Any, test: Source) -> jax.Array:
    """Classes int32 `[m, n]`, or `UNDECIDED`: see `source_predictions`."""
    return self.ask(source_predictions, self.fit(keys, data), test)

  def ask(self, look: Look, learners: PyTree, about: Any) -> PyTree:
    """What every learner answers, stacked: leaves `[m, ...]`.

    Args:
      look: one function, not a new one for each call: compiled for each shape.
      learners: as `fit` gives them.
      about: handed to `look`; a pytree, or examples on the host.
    """
    if isinstance(about, HostSource):
      return self._one_by_one(look, learners, about)
    return self._asked(look, learners, about)

  @functools.cached_property
  def _asked(self) -> Callable[[Look, PyTree, Any], PyTree]:
    def asked(look: Look, learners: PyTree, about: Any) -> PyTree:
      one = lambda learner: look(functools.partial(self.answer, learner), about)
      return train_many(one, learners, self.platform, mesh=self.mesh)

    return jax.jit(asked, static_argnums=0)

  @functools.cached_property
  def _compiled_answer(self) -> Callable[[PyTree, jax.Array], jax.Array]:
    return jax.jit(self.answer)

  def _one_by_one(
    self, look: Look, learners: PyTree, source: HostSource
  ) -> PyTree:
    answer, count = self._compiled_answer, len(jax.tree.leaves(learners)[0])
    found = [
      look(functools.partial(answer, _member(learners, i)), source)
      for i in range(count)
    ]
    return jax.tree.map(lambda *a: jnp.stack(a), *found)


def _member(learners: PyTree, i: int) -> PyTree:
  return jax.tree.map(lambda a: a[i], learners)


def parameters(tester: Tester) -> int | None:
  """How many numbers its network learns; None where nothing is trained."""
  if tester.network is None:
    return None
  shapes = jax.eval_shape(tester.network.init, jax.random.key(0))
  return sum(a.size for a in jax.tree.leaves(shapes['params']))


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
  return _over_source(lambda image: decided(predict(image)), source)


def source_answers(answer: Answer, source: Source) -> jax.Array:
  """All that `answer` gives to the examples of `source`: `[n, k]`.

  Read as `source_predictions` does.
  """
  return _over_source(answer, source)


def decided(answer: jax.Array) -> jax.Array:
  """The class of the largest of `[n, k]`: int32 `[n]`.

  `UNDECIDED` where not all `k` numbers are finite.
  """
  known = jnp.isfinite(answer).all(-1)
  return jnp.where(known, answer.argmax(-1), UNDECIDED).astype(jnp.int32)


def _over_source(
  ask: Callable[[jax.Array], jax.Array], source: Source
) -> jax.Array:
  """What `ask` gives to all examples, `[n, ...]`, in chunks."""
  size = len(source)

  def one(indices: jax.Array) -> jax.Array:
    return ask(source.take(jnp.minimum(indices, size - 1)).image)

  if isinstance(source, HostSource):
    starts = range(0, size, _HOST_CHUNK)
    parts = [one(jnp.arange(i, i + _HOST_CHUNK)) for i in starts]
    return jnp.concatenate(parts)[:size]
  indices = jnp.arange(-(-size // _CHUNK) * _CHUNK).reshape(-1, _CHUNK)
  found = jax.lax.map(one, indices)
  return found.reshape(-1, *found.shape[2:])[:size]


def source_accuracy(
  predict: Callable[[jax.Array], jax.Array], source: Source
) -> jax.Array:
  """Share of `source`'s examples that `predict` gets right, a scalar.

  See `source_predictions`.
  """
  return accuracies(source_predictions(predict, source), source)
