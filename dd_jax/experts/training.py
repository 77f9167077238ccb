"""Training experts, several at once, into a store."""

import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from dd_jax.data.source import HostSource, Source
from dd_jax.experts.flat import flat_step
from dd_jax.experts.store import ExpertStore
from dd_jax.losses import accuracy, soft_cross_entropy
from dd_jax.networks import Network
from dd_jax.training import (
  Batch,
  Model,
  fresh_model,
  map_chunks,
  train,
  train_many,
  train_step,
)
from dd_jax.types import Augment, Key, LabeledData, PyTree, UserError

_CALL_SECONDS = 1.0  # how long one call should take: signals wait for its end
_TESTED = 1000  # held-out examples that an expert's accuracy is measured on

Report = Callable[[int, int], None]
"""`(done, total)` training steps of all experts; may raise to stop."""


class Recipe(NamedTuple):
  """How experts are trained: cross-entropy, one-hot labels.

  Attributes:
    network: the learner; parameters only, no batch statistics.
    optimizer: MTT's is SGD at 0.01.
    num_experts: how many.
    epochs: how long each is trained.
    epoch_steps: steps that count as one epoch; None for one pass of the data.
    batch_size: of real images.
    augment: of each batch, or None.
    rho: size of the climb to a flat minimum (FTD); 0 for plain training.
    alpha: see `flat.flat_step`.
    at_once: experts trained together; on a CPU one for each device.
  """

  network: Network
  optimizer: optax.GradientTransformation
  num_experts: int
  epochs: int
  epoch_steps: int | None = None
  batch_size: int = 256
  augment: Augment | None = None
  rho: float = 0.0
  alpha: float = 0.0
  at_once: int = 10


class _Member(NamedTuple):
  """One expert in training; its key decides all that is random in it."""

  key: Key
  model: Model


def train_experts(
  recipe: Recipe,
  store: ExpertStore,
  key: Key,
  source: Source,
  held_out: Source,
  *,
  mesh: jax.sharding.Mesh | None = None,
  report: Report = lambda done, total: None,
) -> None:
  """Trains the experts that a store lacks, and adds them one by one.

  Expert `i` depends on `fold_in(key, i)` alone, and experts are always trained
  in the same groups, so a store that was continued holds the same bits.

  Args:
    recipe: how.
    store: its epochs are those that are kept.
    key: of all experts.
    source: real examples to train on.
    held_out: real examples for the manifest's accuracies.
    mesh: over whose `data` axis the experts of a group are split.
    report: told of progress.

  Raises:
    UserError: an expert diverged.
  """
  trainer = _Trainer(recipe, source, mesh)
  size = _group_size(recipe, mesh)
  tested = held_out.take(jnp.arange(min(_TESTED, len(held_out))))
  per_expert = recipe.epochs * trainer.epoch_steps

  def told(first: int) -> Callable[[int], None]:
    total = recipe.num_experts * per_expert
    return lambda steps: report(first * per_expert + steps, total)

  while len(store.experts) < recipe.num_experts:
    first = len(store.experts) // size * size
    group = range(first, min(first + size, recipe.num_experts))
    keys = jax.vmap(functools.partial(jax.random.fold_in, key))(
      jnp.array(group)
    )
    before = time.perf_counter()
    members, kept = trainer.run(keys, store.epochs, told(first))
    scores = trainer.test(members.model.variables, tested)
    seconds = (time.perf_counter() - before) / len(group)
    for i in range(len(store.experts), group.stop):
      if not np.all(np.isfinite(kept[i - first])):
        raise UserError(f'expert {i} diverged: lower config.experts.step_size')
      store.add(kept[i - first], 100 * float(scores[i - first]), seconds)


def _group_size(recipe: Recipe, mesh: jax.sharding.Mesh | None) -> int:
  devices = 1 if mesh is None else mesh.shape['data']
  if not recipe.network.runs_on.batches_networks:
    return devices  # together is no faster there, and one is sooner safe
  return max(recipe.at_once, devices)


def parameter_shapes(network: Network) -> PyTree:
  """The shapes of a network's parameters.

  Raises:
    UserError: it has something else too, which no trajectory records.
  """
  shapes: dict[str, Any] = jax.eval_shape(network.init, jax.random.key(0))
  others = sorted(set(shapes) - {'params'})
  if others:
    raise UserError(
      f'network: trajectories are of parameters alone, and this one has '
      f'{", ".join(others)}; use norm=instance or none'
    )
  return shapes['params']


def unflatten(shapes: PyTree, flat: jax.Array) -> PyTree:
  """A network's parameters of a row `[p]` of a trajectory.

  Args:
    shapes: as `parameter_shapes` gives them.
    flat: in the order of `jax.flatten_util.ravel_pytree`.
  """
  leaves, structure = jax.tree.flatten(shapes)
  ends = np.cumsum([leaf.size for leaf in leaves])
  parts = jnp.split(flat, ends[:-1])
  return jax.tree.unflatten(
    structure,
    [p.reshape(x.shape) for p, x in zip(parts, leaves, strict=True)],
  )


class _Trainer:
  """The compiled pieces of `train_experts`."""

  def __init__(
    self, recipe: Recipe, source: Source, mesh: jax.sharding.Mesh | None
  ) -> None:
    self._recipe = recipe
    self._source = source
    self._size = len(source)
    self._batch_size = min(recipe.batch_size, self._size)
    whole = -(-self._size // self._batch_size)
    self.epoch_steps = recipe.epoch_steps or whole
    self._many = functools.partial(
      train_many, platform=recipe.network.runs_on, mesh=mesh
    )
    self._length = 1
    self._init = jax.jit(lambda keys: self._many(self._fresh, keys))
    self._advance = jax.jit(self._steps, donate_argnums=0)
    self._flat = jax.jit(
      lambda params: self._many(lambda p: ravel_pytree(p)[0], params)
    )
    self.test = jax.jit(self._accuracies)

  def run(
    self, keys: Key, kept: tuple[int, ...], done: Callable[[int], None]
  ) -> tuple[_Member, np.ndarray]:
    """Trains one group: `(members, trajectories [m, kept, parameters])`."""
    members = self._init(keys)
    held = []
    for epoch in range(self._recipe.epochs + 1):
      if epoch:
        members = self._epoch(members, epoch - 1, done, len(keys))
      if epoch in kept:
        params = members.model.variables['params']
        held.append(np.asarray(self._flat(params), np.float32))
    return members, np.stack(held, 1)

  def _epoch(
    self, members: _Member, epoch: int, done: Callable[[int], None], count: int
  ) -> _Member:
    first = 0
    while first < self.epoch_steps:
      length = min(self._length, self.epoch_steps - first)
      before = time.perf_counter()
      members = self._chunk(members, epoch, first, length)
      jax.block_until_ready(members.model.age)
      seconds = (time.perf_counter() - before) / length
      self._length = max(1, min(2 * self._length, int(_CALL_SECONDS / seconds)))
      first += length
      done(count * (epoch * self.epoch_steps + first))
    return members

  def _chunk(
    self, members: _Member, epoch: int, first: int, length: int
  ) -> _Member:
    """Steps `first` to `first + length - 1` of an epoch."""
    place = np.int32(epoch), np.int32(first), np.int32(length)
    if not isinstance(self._source, HostSource):
      return self._advance(members, self._source, *place)
    for i in range(first, first + length):
      index = self._planned(members.key, np.int32(epoch), np.int32(i))
      data = self._source.take(index)
      members = self._host_step(members, data, np.int32(epoch), np.int32(i))
    return members

  def _fresh(self, key: Key) -> _Member:
    k_init, k_train = jax.random.split(key)
    recipe = self._recipe
    model = fresh_model(recipe.network, recipe.optimizer, k_init)
    return _Member(k_train, model)

  def _steps(
    self,
    members: _Member,
    source: Source,
    epoch: jax.Array,
    first: jax.Array,
    count: jax.Array,
  ) -> _Member:
    def one(member: _Member) -> _Member:
      order = self._order(member.key, epoch)

      def batches(i: jax.Array) -> Batch:
        index, weight = self._place(order, first + i)
        return self._batch(
          member.key, epoch, first + i, source.take(index), weight
        )

      model = train(self._step, member.model, batches, count)
      return member._replace(model=model)

    return self._many(one, members)

  @functools.cached_property
  def _planned(self) -> Callable[..., jax.Array]:
    """`(keys, epoch, i) -> indices [m, b]` for a source on the host."""

    def one(key: Key, epoch: jax.Array, i: jax.Array) -> jax.Array:
      return self._place(self._order(key, epoch), i)[0]

    return jax.jit(jax.vmap(one, (0, None, None)))

  @functools.cached_property
  def _host_step(self) -> Callable[..., _Member]:
    def one(
      epoch: jax.Array, i: jax.Array, args: tuple[_Member, LabeledData]
    ) -> _Member:
      member, data = args
      _, weight = self._place(jnp.arange(self._size), i)
      batch = self._batch(member.key, epoch, i, data, weight)
      return member._replace(model=self._step(member.model, batch))

    @jax.jit
    def step(
      members: _Member, data: LabeledData, epoch: jax.Array, i: jax.Array
    ) -> _Member:
      return self._many(functools.partial(one, epoch, i), (members, data))

    return step

  def _order(self, key: Key, epoch: jax.Array) -> jax.Array:
    return jax.random.permutation(jax.random.fold_in(key, epoch), self._size)

  def _place(
    self, order: jax.Array, i: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """Which examples step `i` of an epoch sees, and their weights.

    The last batch of a pass is smaller: padded, weight zero.
    """
    per_pass = -(-self._size // self._batch_size)
    position = (i % per_pass) * self._batch_size + jnp.arange(self._batch_size)
    weight = (position < self._size).astype(jnp.float32)
    return order[position % self._size], weight

  def _batch(
    self,
    key: Key,
    epoch: jax.Array,
    i: jax.Array,
    data: LabeledData,
    weight: jax.Array,
  ) -> Batch:
    augment = self._recipe.augment
    if augment is not None:
      key = jax.random.fold_in(jax.random.fold_in(key, epoch), i + 1)
      data = data._replace(image=augment(key, data.image))
    return Batch(data, weight)

  def _step(self, model: Model, batch: Batch) -> Model:
    recipe = self._recipe
    args = recipe.network, recipe.optimizer, soft_cross_entropy, model, batch
    if not recipe.rho:
      return train_step(*args)
    return flat_step(*args, rho=recipe.rho, alpha=recipe.alpha)

  def _accuracies(self, variables: PyTree, data: LabeledData) -> jax.Array:
    def one(variables: PyTree) -> jax.Array:
      apply = lambda x: self._recipe.network.apply(variables, x)[0].logits
      size = self._recipe.network.runs_on.pass_examples
      return accuracy(map_chunks(apply, data.image, size), data.label)

    return self._many(one, variables)
