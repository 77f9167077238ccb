"""Model pools: where the network in use comes from and how it ages.

Six published methods differ in nothing else. A pool is four functions of plain
state, which is checkpointed, sharded and drawn from inside compiled code like
any other array.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from dd_jax.data.source import Source
from dd_jax.networks import Network
from dd_jax.training import Model, fresh_model, train_many
from dd_jax.types import Key, PyTree, UserError


class ModelPool(NamedTuple):
  """A protocol, see the module docstring.

  `models` is any pytree: part of the run's state, checkpointed and donated with
  it, and not counted as part of the set. A method's own second player lives
  here with its optimiser's state, or a teacher that `init` trains on `source`;
  `Model.aux` brings them to the loss and to `advance`.

  Attributes:
    init: `(key, source) -> models`.
    pick: `(key, models) -> (slot, Model)`.
    put: `(key, models, slot, Model) -> models`; retires old members.
    retiring: `(Model) -> bool scalar`: would one more step make it so old that
      `put` replaces it? Then none is spent on it: it only grows older.
    structure: as `init`, of whose models only shapes and dtypes are looked at;
      None: `init` itself. See `Distiller.structure`.
  """

  init: Callable[[Key, Source], PyTree]
  pick: Callable[[Key, PyTree], tuple[jax.Array | int, Model]]
  put: Callable[[Key, PyTree, jax.Array | int, Model], PyTree]
  retiring: Callable[[Model], jax.Array]
  structure: Callable[[Key, Source], PyTree] | None = None


def fresh(
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  count: int = 1,
) -> ModelPool:
  """Untrained networks, drawn anew each step.

  Args:
    network: the learner.
    optimizer: whose state each carries.
    count: networks a step; above 1 they come stacked on a leading axis.
  """
  one = functools.partial(fresh_model, network, optimizer)

  def pick(key: Key, models: PyTree) -> tuple[int, Model]:
    del models
    if count == 1:
      return 0, one(key)
    return 0, train_many(one, jax.random.split(key, count), network.runs_on)

  return ModelPool(
    init=lambda key, source: (),
    pick=pick,
    put=lambda key, models, slot, model: models,
    retiring=lambda model: jnp.asarray(True),  # spends no step on it
  )


def pool(
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  size: int = 10,
  max_age: int = 100,
) -> ModelPool:
  """Networks of all ages up to `max_age`, drawn uniformly (FRePo).

  Ages are staggered at the start, `i max_age / size`, so that members do not
  all retire at once; `methods.frepo` trains them to those ages. A member older
  than `max_age` is replaced by an untrained one.

  Args:
    network: the learner.
    optimizer: whose state each member carries.
    size: number of members.
    max_age: steps.
  """

  def init(key: Key, source: Source) -> PyTree:
    del source
    keys = jax.random.split(key, size)
    fresh = lambda k: fresh_model(network, optimizer, k)
    members = jax.jit(lambda keys: jax.lax.map(fresh, keys))(keys)
    return members._replace(
      age=jnp.arange(size, dtype=jnp.int32) * max_age // size
    )

  def pick(key: Key, models: PyTree) -> tuple[jax.Array, Model]:
    slot = jax.random.randint(key, (), 0, size)
    return slot, jax.tree.map(lambda a: a[slot], models)

  def retiring(model: Model) -> jax.Array:
    return model.age >= max_age

  def put(
    key: Key, models: PyTree, slot: jax.Array | int, model: Model
  ) -> PyTree:
    model = jax.lax.cond(
      model.age > max_age,
      lambda: fresh_model(network, optimizer, key),
      lambda: model,
    )
    return jax.tree.map(lambda a, b: a.at[slot].set(b), models, model)

  return ModelPool(init, pick, put, retiring)


def renewed(
  network: Network,
  optimizer: optax.GradientTransformation,
  finished: Callable[[Model], jax.Array],
  *,
  aux: PyTree = (),
) -> ModelPool:
  """One network, used until it is finished, then replaced by an untrained one.

  Args:
    network: the learner.
    optimizer: whose state it carries.
    finished: `(Model) -> bool scalar`, asked after each step.
    aux: what an untrained one starts with.
  """

  def newborn(key: Key) -> Model:
    return fresh_model(network, optimizer, key)._replace(aux=aux)

  def put(key: Key, models: PyTree, slot: object, model: Model) -> PyTree:
    del models, slot
    return jax.lax.cond(finished(model), newborn, lambda key: model, key)

  return ModelPool(
    init=lambda key, source: jax.jit(newborn)(key),
    pick=lambda key, models: (0, models),
    put=put,
    retiring=lambda model: jnp.asarray(False),
  )


class Queue(NamedTuple):
  """State of `queue`.

  Attributes:
    members: a Model stacked on `[size]`.
    live: int32: how many of them are in use, the first ones.
    oldest: int32: the slot that the next new member takes.
    clock: int32: how often the queue was used.
  """

  members: Model
  live: jax.Array
  oldest: jax.Array
  clock: jax.Array


def queue(
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  size: int = 100,
  start: int = 3,
  interval: int = 30,
  trained: int = 2,
  aux: PyTree = (),
) -> ModelPool:
  """Networks that grow older whether or not they are picked (IDM).

  Every step matches on one member and trains `trained` different ones, drawn
  apart: `pick` stacks all these on a leading axis, the one to match on first,
  and `put` keeps what became of the others. Every `interval` steps an untrained
  member joins, and once there are `size` it takes the oldest one's place (arXiv
  2307.09742).

  Args:
    network: the learner.
    optimizer: whose state each member carries.
    size: members at most.
    start: members at the start.
    interval: steps between two new members.
    trained: members trained in a step.
    aux: what an untrained one starts with.

  Raises:
    UserError: for sizes that cannot work.
  """
  _check_queue(size, start, interval, trained)

  def newborn(key: Key) -> Model:
    return fresh_model(network, optimizer, key)._replace(aux=aux)

  def init(key: Key, source: Source) -> Queue:
    del source
    make = jax.jit(lambda keys: jax.lax.map(newborn, keys))
    count = lambda n: jnp.asarray(n, jnp.int32)
    members = make(jax.random.split(key, size))
    return Queue(members, count(start), count(start % size), count(0))

  def pick(key: Key, models: Queue) -> tuple[jax.Array, Model]:
    k_match, k_train = jax.random.split(key)
    dead = jnp.arange(size) >= models.live
    match = jnp.argmax(jax.random.uniform(k_match, (size,)) - dead)
    order = jnp.argsort(jax.random.uniform(k_train, (size,)) + dead)
    slots = jnp.concatenate([match[None], order[:trained]])
    return slots, jax.tree.map(lambda a: a[slots], models.members)

  def put(key: Key, models: Queue, slots: Any, model: Model) -> Queue:
    members = jax.tree.map(
      lambda a, b: a.at[slots[1:]].set(b[1:]), models.members, model
    )
    clock = models.clock + 1
    due = clock % interval == 0
    joining = jax.lax.cond(
      due,
      newborn,
      lambda key: jax.tree.map(lambda a: a[models.oldest], members),
      key,
    )
    members = jax.tree.map(
      lambda a, b: a.at[models.oldest].set(b), members, joining
    )
    live = jnp.minimum(models.live + due, size)
    oldest = (models.oldest + due) % size
    return Queue(members, live, oldest, clock)

  return ModelPool(init, pick, put, retiring=lambda model: jnp.asarray(False))


def _check_queue(size: int, start: int, interval: int, trained: int) -> None:
  allowed = {
    'queue_size': (size, 1, None),
    'queue_start': (start, 1, size),
    'queue_interval': (interval, 1, None),
    'trained': (trained, 0, start),
  }
  for name, (value, least, most) in allowed.items():
    if value < least or (most is not None and value > most):
      upper = 'and more' if most is None else f'to {most}'
      raise UserError(f'{name}={value}: allowed are {least} {upper}')


def successive(
  network: Network, optimizer: optax.GradientTransformation, *, lifetime: int
) -> ModelPool:
  """One network at a time, replaced after `lifetime` outer steps (DC, IDC).

  Its age is the inner clock: 0 for the first outer step that uses it. It is
  not trained after the last.
  """
  return pool(network, optimizer, size=1, max_age=lifetime - 1)
