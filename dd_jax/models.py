"""Model sources: where the network in use comes from and how it ages.

Six published methods differ in nothing else. A source is three functions of
plain state, so the pool is checkpointed, sharded and drawn from inside
compiled code like any other array.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from dd_jax.data.source import Source
from dd_jax.networks import Network
from dd_jax.training import Model, fresh_model
from dd_jax.types import Key, PyTree


class ModelSource(NamedTuple):
  """A protocol, see the module docstring.

  Attributes:
    init: `(key, source) -> models`.
    pick: `(key, models) -> (slot, Model)`.
    put: `(key, models, slot, Model) -> models`; retires old members.
    retiring: `(Model) -> bool scalar`: would one more step make it so old that
      `put` replaces it? Then none is spent on it: it only grows older.
  """

  init: Callable[[Key, Source], PyTree]
  pick: Callable[[Key, PyTree], tuple[jax.Array | int, Model]]
  put: Callable[[Key, PyTree, jax.Array | int, Model], PyTree]
  retiring: Callable[[Model], jax.Array]


def fresh(
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  count: int = 1,
) -> ModelSource:
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
    return 0, jax.lax.map(one, jax.random.split(key, count))

  return ModelSource(
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
) -> ModelSource:
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

  return ModelSource(init, pick, put, retiring)
