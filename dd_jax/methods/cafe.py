r"""CAFE: aligned features of every layer (arXiv 2203.01531).

The support set's class means are matched in every block's activations, and real
images are to be told apart by their nearness to the support set's features,

.. math:: L = \sum_l w_l \sum_c |\bar f_l(T_c) - \bar f_l(S_c)|^2
              - \lambda \sum_{x \in T} \log softmax(F(x) \bar F_S^T)_{y(x)}.

The published loss also holds the cross-entropy of the real images, which has no
gradient to the support set: it is left out.

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
import optax

from dd_jax import losses
from dd_jax.augment import DSA
from dd_jax.checks import check_least
from dd_jax.distiller import Context, Distiller, Learned
from dd_jax.methods.distribution_matching import View, matching
from dd_jax.models import renewed
from dd_jax.networks import Network
from dd_jax.networks.network import Outputs
from dd_jax.parameterization.base import Parameterization
from dd_jax.training import Model, epochs, map_chunks, train_step
from dd_jax.types import Augment, LabeledData, UserError


class Window(NamedTuple):
  """The last accuracies that were read.

  Attributes:
    readings: `[w]`, the newest last.
    total: int32: how many were read in all.
  """

  readings: jax.Array
  total: jax.Array

  def look(self, reading: jax.Array) -> 'Window':
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


class Life(NamedTuple):
  """What is kept with the network in use.

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


def next_life(
  loops: Loops,
  measure: Callable[[Model], jax.Array],
  epoch: Callable[[Model, jax.Array], Model],
  model: Model,
) -> Model:
  """What becomes of a network after one step of the support set.

  Its accuracy is read; either the outer loop is over, or an inner loop follows.

  Args:
    loops: when to end.
    measure: `(Model) -> accuracy`.
    epoch: `(Model, how many before it) -> Model`, one epoch older.
    model: whose `aux` is a `Life` and whose age counts the outer loop's steps.
  """
  outer = model.aux.outer.look(measure(model))
  age = model.age + 1
  over = (outer.spread() < loops.settled) | (age >= loops.outer_cap)
  trained, count = jax.lax.cond(
    over,
    lambda model: (model, jnp.zeros((), jnp.int32)),
    lambda model: train_until_moved(loops, measure, epoch, model),
    model,
  )
  life = Life(outer, over, model.aux.epochs + count)
  return trained._replace(age=age, aux=life)


def train_until_moved(
  loops: Loops,
  measure: Callable[[Model], jax.Array],
  epoch: Callable[[Model, jax.Array], Model],
  model: Model,
) -> tuple[Model, jax.Array]:
  """The inner loop; see `next_life`. Returns `(model, epochs taken)`."""

  def go_on(carry: tuple[Model, Window]) -> jax.Array:
    seen = carry[1]
    return ~(seen.spread() > loops.moved) & (seen.total < loops.inner_cap)

  def body(carry: tuple[Model, Window]) -> tuple[Model, Window]:
    model, seen = carry
    model = epoch(model, seen.total)
    return model, seen.look(measure(model))

  model, seen = jax.lax.while_loop(go_on, body, (model, window(loops.readings)))
  return model, seen.total


def cafe(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  augment: Augment | None = None,
  batch_size: int = 256,
  deep_weight: float = 1.0,
  shallow_weight: float = 0.1,
  embedding_weight: float = 1.0,
  discrimination: float = 0.01,
  readings: int = 10,
  reading_size: int = 128,
  settled: float = 0.04,
  moved: float = 0.03,
  outer_cap: int = 100,
  inner_cap: int = 100,
  inner_optimizer: optax.GradientTransformation | None = None,
  inner_batch_size: int = 256,
) -> Distiller:
  """Condensation by aligning features.

  Args:
    parameterization: of the support set, whose labels also train networks.
    network: of any depth.
    optimizer: the paper's is SGD at 0.1, momentum 0.5, the rate halved at 60,
      80 and 90 % of the run.
    augment: siamese; also of the support set while it trains a network.
    batch_size: real images per class.
    deep_weight: of the last block's activations and of their pooled map.
    shallow_weight: of every earlier block's.
    embedding_weight: of the last layer's input.
    discrimination: of the real images' cross-entropy, a sum over them.
    readings: in a window.
    reading_size: real images per class in a reading, the batch's first.
    settled: see the module; an accuracy in [0, 1].
    moved: see the module; an accuracy in [0, 1].
    outer_cap: steps of the support set on one network, at most.
    inner_cap: epochs of one inner loop, at most.
    inner_optimizer: trains the network; the paper's is SGD at 0.01.
    inner_batch_size: support images in one of its steps, at most.
  """
  _check(readings, reading_size, outer_cap, inner_cap, inner_batch_size)
  inner = inner_optimizer or optax.sgd(0.01)
  loops = Loops(readings, settled, moved, outer_cap, inner_cap)
  cross_entropy = losses.soft_cross_entropy

  def distance(real: View, synthetic: View, context: Context) -> jax.Array:
    del context
    gaps = jax.tree.map(losses.squared_gap, real.mean, synthetic.mean)
    embedding = real.each.mean(1), synthetic.each.mean(1)
    total = shallow_weight * sum(gaps[:-2]) + deep_weight * sum(gaps[-2:])
    total += embedding_weight * losses.squared_gap(*embedding)
    return total + discrimination * confusion(real.each, embedding[1])

  def advance(learned: Learned, batch: LabeledData, context: Context) -> Model:
    assert context.model is not None
    batches, per_epoch = epochs(
      context.key, learned.data, inner_batch_size, augment
    )
    shown = jax.tree.map(
      lambda a: a[:reading_size].reshape(-1, *a.shape[2:]), batch
    )

    def epoch(model: Model, index: jax.Array) -> Model:
      step = lambda i, model: train_step(
        network, inner, cross_entropy, model, batches(per_epoch * index + i)
      )
      aged = jax.lax.fori_loop(0, per_epoch, step, model)
      return aged._replace(age=model.age)

    def measure(model: Model) -> jax.Array:
      logits = lambda x: network.apply(model.variables, x)[0].logits
      return losses.accuracy(map_chunks(logits, shown.image), shown.label)

    return next_life(loops, measure, epoch, context.model)

  count = jnp.zeros((), jnp.int32)
  life = Life(window(readings), jnp.zeros((), bool), count)
  return matching(
    parameterization,
    network,
    optimizer,
    look=_look,
    distance=distance,
    models=renewed(network, inner, lambda model: model.aux.over, aux=life),
    advance=advance,
    augment=augment,
    batch_size=batch_size,
  )


def _look(out: Outputs) -> View:
  return View(out.taps, out.features)


def confusion(real: jax.Array, centre: jax.Array) -> jax.Array:
  """Cross-entropy of telling real images apart by inner products, summed.

  Args:
    real: features `[k, n, d]`.
    centre: the support set's mean features `[k, d]`.
  """
  logits = jnp.einsum('knd,cd->knc', real, centre)
  one_hot = jnp.broadcast_to(jnp.eye(len(centre))[:, None], logits.shape)
  return jnp.sum(losses.soft_cross_entropy(logits, one_hot))


def _check(
  readings: int,
  reading_size: int,
  outer_cap: int,
  inner_cap: int,
  inner_batch_size: int,
) -> None:
  check_least(2, readings=readings)
  check_least(1, reading_size=reading_size, inner_batch_size=inner_batch_size)
  for name, cap in (('outer_cap', outer_cap), ('inner_cap', inner_cap)):
    if cap < readings:
      raise UserError(
        f'{name}={cap}: allowed are {readings} (readings) and more'
      )


RECIPE = {
  'parameterization': {'labels': 'fixed', 'start': 'noise'},
  'augment': DSA,
  'optimizer': {
    'name': 'sgd',
    'learning_rate': 0.1,
    'momentum': 0.5,
    'schedule': 'halving',
  },
  'inner_optimizer': {'name': 'sgd', 'learning_rate': 0.01},
  # 2,000 networks as published, each seen through ten steps at the least.
  'num_steps': 20_000,
  'validate_every': 2000,
  'evaluation': {'protocol': 'dc', 'features': 'network'},
}
"""The published settings of CAFE with DSA (arXiv 2203.01531)."""
