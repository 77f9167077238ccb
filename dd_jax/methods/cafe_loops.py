"""The life of CAFE's network: dynamic bi-level sampling (arXiv 2203.01531).

One network lives through two loops. In the outer loop the support set takes
steps and the network's accuracy on real images is read after each; while the
last readings still differ by `settled` or more, an inner loop trains the
network on the support set until its readings differ by more than `moved`. Once
they differ by less than `settled`, the next network starts. Both have a cap.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from dd_jax.checks import check_least
from dd_jax.training import Model
from dd_jax.types import UserError

Measure = Callable[[Model], jax.Array]
"""`(model) -> accuracy`."""
Epoch = Callable[[Model, jax.Array], Model]
"""`(model, epochs before it) -> model`, an epoch further."""


class Window(NamedTuple):
  """The last accuracies that were read.

  Attributes:
    readings: `[w]`, the newest last.
    total: int32: how many were read in all.
  """

  readings: jax.Array
  total: jax.Array

  def push(self, reading: jax.Array) -> 'Window':
    """The window once `reading` came in."""
    readings = jnp.append(self.readings[1:], reading)
    return Window(readings, self.total + 1)

  def spread(self) -> jax.Array:
    """Largest minus smallest; NaN, which compares false, until it is full."""
    spread = jnp.max(self.readings) - jnp.min(self.readings)
    return jnp.where(self.total >= len(self.readings), spread, jnp.nan)


def window(size: int) -> Window:
  """An empty window of `size` readings."""
  return Window(jnp.zeros(size), jnp.zeros((), jnp.int32))


class LoopState(NamedTuple):
  """What is kept with the network in use, as its `aux`.

  Attributes:
    outer: the outer loop's window.
    over: bool: whether the outer loop has ended.
    epochs: int32: of training on the support set, so far.
  """

  outer: Window
  over: jax.Array
  epochs: jax.Array


class Loops(NamedTuple):
  """When the two loops end.

  Attributes:
    readings: that a window holds.
    settled: the outer loop ends once its window spreads less than this.
    moved: the inner loop ends once its window spreads more than this.
    outer_cap: steps of the support set on one network, at most.
    inner_cap: epochs of one inner loop, at most.
  """

  readings: int
  settled: float
  moved: float
  outer_cap: int
  inner_cap: int

  def check(self) -> None:
    """Refuses windows of one reading, and loops that never fill a window.

    Raises:
      UserError: names the setting.
    """
    check_least(2, readings=self.readings)
    for name in ('outer_cap', 'inner_cap'):
      cap = getattr(self, name)
      if cap < self.readings:
        raise UserError(
          f'{name}={cap}: allowed are {self.readings} (readings) and more'
        )

  def start(self) -> LoopState:
    """That of an untrained network."""
    count = jnp.zeros((), jnp.int32)
    return LoopState(window(self.readings), jnp.zeros((), bool), count)


def outer_step(
  loops: Loops, measure: Measure, epoch: Epoch, model: Model
) -> Model:
  """What becomes of a network after one step of the support set.

  Its accuracy is read; either the outer loop is over, or an inner loop follows.

  Args:
    loops: when to end.
    measure: the network's accuracy.
    epoch: trains it on the support set.
    model: whose `aux` is a `LoopState` and whose age counts the outer loop's
      steps.
  """
  outer = model.aux.outer.push(measure(model))
  age = model.age + 1
  over = (outer.spread() < loops.settled) | (age >= loops.outer_cap)
  trained, count = jax.lax.cond(
    over,
    lambda model: (model, jnp.zeros((), jnp.int32)),
    lambda model: inner_loop(loops, measure, epoch, model),
    model,
  )
  state = LoopState(outer, over, model.aux.epochs + count)
  return trained._replace(age=age, aux=state)


def inner_loop(
  loops: Loops, measure: Measure, epoch: Epoch, model: Model
) -> tuple[Model, jax.Array]:
  """Trains until accuracy has moved, see `outer_step`: `(model, epochs)`."""

  def go_on(carry: tuple[Model, Window]) -> jax.Array:
    seen = carry[1]
    return ~(seen.spread() > loops.moved) & (seen.total < loops.inner_cap)

  def body(carry: tuple[Model, Window]) -> tuple[Model, Window]:
    model, seen = carry
    model = epoch(model, seen.total)
    return model, seen.push(measure(model))

  model, seen = jax.lax.while_loop(go_on, body, (model, window(loops.readings)))
  return model, seen.total
