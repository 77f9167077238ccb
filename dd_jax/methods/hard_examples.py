r"""The hardest real images, by what networks make of them in training.

Of each class those of the highest score, a mean over networks:

- `forgetting`: how often an image was called right when it came up and wrong
  the next time; never right is hardest (Toneva et al., arXiv 1812.05159).
- `el2n`: :math:`\| p(x) - y \|_2`, of the probabilities early in training (Paul
  et al., arXiv 2107.07075).
- `grand`: :math:`\| \nabla_\theta \ell(x, y) \|_2` in all parameters (there).

Networks train by SGD at 0.01 with momentum 0.9, in batches of 128.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dd_jax.checks import check_least
from dd_jax.data.by_class import check_counts, class_members, numpy_generator
from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import HostSource, Source
from dd_jax.distiller import Distiller, State
from dd_jax.losses import soft_cross_entropy
from dd_jax.methods.method import Method
from dd_jax.methods.selection import RECIPE, selection
from dd_jax.networks import Network
from dd_jax.parameterization.per_class import PerClass
from dd_jax.training import Batch, Model, fresh_model, map_chunks, train_step
from dd_jax.types import Key, LabeledData, PyTree

_BATCH = 128
_CHUNK = 32
_SGD = optax.sgd(0.01, 0.9)

Score = Callable[[Network, Key, Source, int], jax.Array]
"""`(network, key, source, epochs) -> how hard each example is, [n]`."""


def hard_examples(
  score: Score,
  network: Network,
  ipc: PerClass,
  encoding: LabelEncoding = LabelEncoding('one-hot'),
  *,
  networks: int = 1,
  epochs: int = 1,
) -> Distiller:
  """A method that keeps the hardest real images of each class.

  Args:
    score: says which they are; equal ones come in random order.
    network: that trains.
    ipc: images per class, or those of each class.
    encoding: of the labels.
    networks: whose scores are averaged.
    epochs: of the training data that each has seen.

  Raises:
    UserError: a setting out of range.
  """
  check_least(1, networks=networks)
  check_least(0, epochs=epochs)

  def init(key: Key, source: Source) -> State:
    check_counts(source, 1)
    keys = jax.random.split(key, networks)
    found = sum(np.asarray(score(network, k, source, epochs)) for k in keys)
    return first_of(hardest(key, source, np.asarray(found))).init(key, source)

  def first_of(order: Sequence[np.ndarray]) -> Distiller:
    first = lambda key, source, count, features: np.stack(
      [np.resize(rows[:count], count) for rows in order]
    ).astype(np.int32)
    return selection(first, ipc, None, encoding)

  return first_of(())._replace(init=init)  # all else is so for any order


def hardest(key: Key, source: Source, score: np.ndarray) -> list[np.ndarray]:
  """The examples of each class, of the highest score first.

  Args:
    key: of the order of those with equal scores.
    source: has them.
    score: `[n]`.
  """
  rng = numpy_generator(key)
  shuffled = [rng.permutation(members) for members in class_members(source)]
  return [rows[np.argsort(-score[rows], kind='stable')] for rows in shuffled]


class Seen(NamedTuple):
  """What became of each example whenever it came up.

  Attributes:
    right: whether it was called right the last time, bool `[n]`.
    ever: whether it ever was, bool `[n]`.
    lost: how often it was forgotten, float32 `[n]`.
  """

  right: jax.Array
  ever: jax.Array
  lost: jax.Array


def unseen(size: int) -> Seen:
  """Before any came up."""
  never = jnp.zeros(size, bool)
  return Seen(never, never, jnp.zeros(size))


def noted(seen: Seen, index: jax.Array, right: jax.Array) -> Seen:
  """`seen`, once the examples `index [b]` were called right, or not, `[b]`."""
  return Seen(
    seen.right.at[index].set(right),
    seen.ever.at[index].set(seen.ever[index] | right),
    seen.lost.at[index].add(seen.right[index] & ~right),
  )


def forgetting(
  network: Network, key: Key, source: Source, epochs: int
) -> jax.Array:
  """How often each example is forgotten; inf where it is never learned."""

  def note(
    seen: Seen, variables: PyTree, index: jax.Array, batch: LabeledData
  ) -> Seen:
    logits = network.apply(variables, batch.image)[0].logits
    right = logits.argmax(-1) == batch.label.argmax(-1)
    return noted(seen, index, right)

  start = unseen(len(source))
  _, seen = _trained(network, key, source, epochs, note, start)
  return jnp.where(seen.ever, seen.lost, jnp.inf)


def el2n(network: Network, key: Key, source: Source, epochs: int) -> jax.Array:
  """The norm of what each example's probabilities are off by."""

  def off(variables: PyTree, batch: LabeledData) -> jax.Array:
    logits = network.apply(variables, batch.image)[0].logits
    return jnp.linalg.norm(jax.nn.softmax(logits) - batch.label, axis=-1)

  return _each(off, _plainly_trained(network, key, source, epochs), source)


def grand(network: Network, key: Key, source: Source, epochs: int) -> jax.Array:
  """The norm of each example's gradient in the parameters."""

  def norm(variables: PyTree, batch: LabeledData) -> jax.Array:
    def loss(params: PyTree, image: jax.Array, label: jax.Array) -> jax.Array:
      known = {**variables, 'params': params}
      logits = network.apply(known, image[None])[0].logits
      return soft_cross_entropy(logits, label[None])[0]

    own = lambda image, label: optax.tree.norm(
      jax.grad(loss)(variables['params'], image, label)
    )
    return jax.vmap(own)(*batch)

  return _each(norm, _plainly_trained(network, key, source, epochs), source)


def _plainly_trained(
  network: Network, key: Key, source: Source, epochs: int
) -> PyTree:
  """The variables of a network after that."""
  nothing = lambda seen, variables, index, batch: seen
  return _trained(network, key, source, epochs, nothing, ())[0]


def _trained(
  network: Network,
  key: Key,
  source: Source,
  epochs: int,
  note: Callable[[PyTree, PyTree, jax.Array, LabeledData], PyTree],
  seen: PyTree,
) -> tuple[PyTree, PyTree]:
  """Trains a fresh network; `note` looks at every batch before its step.

  Returns:
    `(variables, seen)`.
  """
  size = len(source)
  batch_size = min(_BATCH, size)
  per_epoch = size // batch_size  # what is left over waits for another epoch
  k_init, k_order = jax.random.split(key)

  def drawn(i: jax.Array) -> jax.Array:
    k_epoch = jax.random.fold_in(k_order, i // per_epoch)
    order = jax.random.permutation(k_epoch, size)
    start = (i % per_epoch) * batch_size
    return jax.lax.dynamic_slice(order, (start,), (batch_size,))

  def step(
    carry: tuple[Model, PyTree], index: jax.Array, data: LabeledData
  ) -> tuple[Model, PyTree]:
    model, seen = carry
    seen = note(seen, model.variables, index, data)
    batch = Batch(data, jnp.ones(batch_size))
    return train_step(network, _SGD, soft_cross_entropy, model, batch), seen

  first = jax.jit(lambda k: fresh_model(network, _SGD, k))(k_init), seen
  steps = epochs * per_epoch
  if isinstance(source, HostSource):
    carry, one, draw = first, jax.jit(step), jax.jit(drawn)
    for i in range(steps):
      index = draw(jnp.int32(i))
      carry = one(carry, index, source.take(index))
    return carry[0].variables, carry[1]

  @jax.jit
  def run(carry: tuple[Model, PyTree], source: Source) -> PyTree:
    def body(i: jax.Array, carry: tuple[Model, PyTree]) -> PyTree:
      index = drawn(i)
      return step(carry, index, source.take(index))

    return jax.lax.fori_loop(0, steps, body, carry)

  model, seen = run(first, source)
  return model.variables, seen


def _each(
  function: Callable[[PyTree, LabeledData], jax.Array],
  variables: PyTree,
  source: Source,
) -> jax.Array:
  """`function(variables, examples) -> [b]` of all examples, in chunks."""
  if isinstance(source, HostSource):
    one, size = jax.jit(function), len(source)
    starts = range(0, size, _CHUNK)
    # Every chunk as large as the others, so that it compiles once.
    parts = [
      one(variables, source.take(np.arange(i, i + _CHUNK) % size))
      for i in starts
    ]
    return jnp.concatenate(parts)[:size]

  @jax.jit
  def run(variables: PyTree, source: Source) -> jax.Array:
    of = lambda index: function(variables, source.take(index))
    return map_chunks(of, jnp.arange(len(source)), _CHUNK)

  return run(variables, source)


METHODS = {
  'forgetting': Method(
    functools.partial(hard_examples, forgetting, epochs=20),
    RECIPE,
    'real images that are most often forgotten (arXiv 1812.05159, baseline)',
  ),
  'el2n': Method(
    functools.partial(hard_examples, el2n, networks=3, epochs=3),
    RECIPE,
    'real images of the largest early error (arXiv 2107.07075, baseline)',
  ),
  'grand': Method(
    functools.partial(hard_examples, grand, networks=3, epochs=0),
    RECIPE,
    'real images of the largest gradient (arXiv 2107.07075, baseline)',
  ),
}
"""By name; shorter than the papers', which have 200 epochs, and 10 networks."""
