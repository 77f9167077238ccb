"""A pool of networks that train on the support set while it is learned.

FRePo and its descendants share it: members of all ages, trained to those ages
at the start; after an outer step the network in use takes a few steps.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dd_jax.data.source import Source
from dd_jax.distiller import Advance, Context, Distiller, Learned, State
from dd_jax.losses import squared_error
from dd_jax.models import ModelPool, pool
from dd_jax.networks import Network
from dd_jax.training import Model, epochs, train, train_step
from dd_jax.types import Key, LabeledData, PyTree, UserError


class Pooled(NamedTuple):
  """What a pooled method adds to its loss.

  Attributes:
    models: for `from_loss`.
    advance: for `from_loss`.
    aged: makes a distiller whose members start at the ages they claim.
  """

  models: ModelPool
  advance: Advance
  aged: Callable[[Distiller], Distiller]


Report: TypeAlias = Callable[[int, int], None]
"""`(steps done, steps in all)`, called on the host."""


def pooled(
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  size: int,
  max_age: int,
  batch_size: int,
  steps: tuple[int, int],
  report: Report | None = None,
) -> Pooled:
  """A pool that trains on the support set, with squared error.

  Args:
    network: the learner.
    optimizer: trains members.
    size: members.
    max_age: steps after which a member is replaced.
    batch_size: support images in one inner step, at most.
    steps: the network in use takes a number of steps drawn from this closed
      range.
    report: told how far members are trained at the start, or None.

  Raises:
    UserError: an empty range.
  """
  least, most = steps
  if not 1 <= least <= most:
    raise UserError(f'inner_steps={steps}: allowed are 1 <= first <= last')
  models = pool(network, optimizer, size=size, max_age=max_age)
  one_step = functools.partial(train_step, network, optimizer, squared_error)

  def advance(learned: Learned, batch: PyTree, context: Context) -> Model:
    del batch
    model = context.model
    assert model is not None
    k_data, k_steps = context.key, jax.random.fold_in(context.key, 1)
    batches, _ = epochs(k_data, learned.data, batch_size)
    if least < most:
      count = jax.random.randint(k_steps, (), least, most + 1)
      return train(one_step, model, batches, count)
    for i in range(least):
      model = one_step(model, batches(jnp.asarray(i)))
    return model

  @jax.jit
  def grown(key: Key, data: LabeledData, member: Model) -> Model:
    """Trains a member, on the starting set, to the age it claims."""
    batches, _ = epochs(key, data, batch_size)
    newborn = member._replace(age=jnp.zeros_like(member.age))
    return train(one_step, newborn, batches, member.age)

  def trained(key: Key, data: LabeledData, members: Model) -> Model:
    """Trains all members, one after the other."""
    found: list[Model] = []
    for i in range(size):
      found.append(grown(key, data, _member(members, i)))
      if report is not None:
        _tell(report, found, members)
    return jax.tree.map(lambda *a: jnp.stack(a), *found)

  def aged(base: Distiller) -> Distiller:
    def init(key: Key, source: Source) -> State:
      k_base, k_age = jax.random.split(key)
      state = base.init(k_base, source)
      data = LabeledData(*base.distilled(state)[:2])
      return state._replace(models=trained(k_age, data, state.models))

    return base._replace(init=init, structure=base.init)

  return Pooled(models, advance, aged)


def _member(members: Model, i: int) -> Model:
  found: Model = jax.tree.map(lambda a: a[i], members)
  return found


def _tell(report: Report, found: list[Model], members: Model) -> None:
  """Reports the steps of members that are trained; not while this is traced."""
  if isinstance(members.age, jax.core.Tracer):
    return
  jax.block_until_ready(found[-1])
  steps = np.asarray(members.age)
  report(int(steps[: len(found)].sum()), int(steps.sum()))
