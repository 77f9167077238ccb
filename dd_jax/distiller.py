"""The central protocol: a distillation method as four functions.

Almost every method is *which batch* x *which network, and how it ages* x *one
loss*, and `from_loss` turns these three into a `Distiller`. A method that does
not fit writes its own four functions: the protocol is the law, the builder a
convenience.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from dd_jax.data.source import Source
from dd_jax.models import ModelPool
from dd_jax.parameterization.base import (
  Adversary,
  Parameterization,
  shipped,
)
from dd_jax.training import Model
from dd_jax.types import DistilledData, Key, LabeledData, Metrics, PyTree

_ADVERSARY = 1  # folded into keys that an adversary shares


class State(NamedTuple):
  """Everything that an outer step reads and writes.

  Attributes:
    params: what the outer optimiser moves: `{'data': ..., 'extra': ...}`.
    constants: what decoding needs and nothing moves.
    opt_state: of the outer optimiser.
    models: of the model pool; `()` where there is none.
    average: moving average of `params['data']`; `()` where there is none.
    adversary: of the parameterization; `()` where there is none.
  """

  params: PyTree
  constants: PyTree
  opt_state: PyTree = ()
  models: PyTree = ()
  average: PyTree = ()
  adversary: PyTree = ()


class Distiller(NamedTuple):
  """A method of distillation.

  Attributes:
    init: `(key, source) -> State`; new buffers; may read data; not traced.
    sample: `(key, step, source) -> Batch`: what one outer step looks at.
    update: `(key, step, state, batch) -> (State, Metrics)`: traced, pure,
      closed (same structure, shapes, dtypes); metrics hold 'loss'.
    distilled: `(state) -> DistilledData`.
    structure: as `init`, of whose state only shapes and dtypes are looked at:
      what a checkpoint is read into. For methods whose `init` takes long, since
      it trains networks or looks at all data; None: `init` itself.
  """

  init: Callable[[Key, Source], State]
  sample: Callable[[Key, jax.Array, Source], PyTree]
  update: Callable[[Key, jax.Array, State, PyTree], tuple[State, Metrics]]
  distilled: Callable[[State], DistilledData]
  structure: Callable[[Key, Source], State] | None = None


class Learned(NamedTuple):
  """What is being learned, decoded.

  Attributes:
    data: the support set.
    extra: whatever else a method learns (temperature, inner step size).
  """

  data: LabeledData
  extra: PyTree


class Context(NamedTuple):
  """What else a loss may depend on.

  Attributes:
    key: fresh each step.
    step: int32 scalar.
    model: the network in use, or None.
    adversary: the parameterization's own network, or None.
  """

  key: Key
  step: jax.Array
  model: Model | None
  adversary: Model | None = None


class Budget(NamedTuple):
  """What a distilled set costs to store.

  Attributes:
    floats: floating-point numbers.
    bytes: of all stored numbers.
  """

  floats: int
  bytes: int


Loss = Callable[[Learned, PyTree, Context], tuple[jax.Array, Metrics]]
Advance = Callable[[Learned, PyTree, Context], Model]
Decode = Callable[[PyTree], Learned]
Gradient = Callable[
  [Loss, Decode, PyTree, PyTree, Context],
  tuple[tuple[jax.Array, Metrics], PyTree],
]


def value_and_gradient(
  loss: Loss, decode: Decode, params: PyTree, batch: PyTree, context: Context
) -> tuple[tuple[jax.Array, Metrics], PyTree]:
  """The gradient of `loss` in `params`: `((value, metrics), gradient)`."""
  objective = lambda p: loss(decode(p), batch, context)
  return jax.value_and_grad(objective, has_aux=True)(params)


def against(loss: Loss, adversary: Adversary) -> Loss:
  """`loss` and the penalty of the parameterization's adversary (HaBa)."""

  def both(
    learned: Learned, batch: PyTree, context: Context
  ) -> tuple[jax.Array, Metrics]:
    assert context.adversary is not None
    value, metrics = loss(learned, batch, context)
    key = jax.random.fold_in(context.key, _ADVERSARY)
    more, said = adversary.penalty(key, context.adversary, learned.data)
    return value + more, {**metrics, **said}

  return both


def only_data(learned: Learned) -> DistilledData:
  """Images and labels; whatever else was learned is for the method alone."""
  return DistilledData(*learned.data)


def from_loss(
  parameterization: Parameterization,
  optimizer: optax.GradientTransformation,
  loss: Loss,
  *,
  sample: Callable[[Key, jax.Array, Source], PyTree],
  extra: PyTree = None,
  extra_optimizer: optax.GradientTransformation | None = None,
  models: ModelPool | None = None,
  advance: Advance | None = None,
  average: float = 0.0,
  gradient: Gradient = value_and_gradient,
  deliver: Callable[[Learned], DistilledData] = only_data,
) -> Distiller:
  """Builds a method whose update is a gradient step on a loss.

  Args:
    parameterization: how few numbers become the support set.
    optimizer: moves the parameterization's params, which are then projected.
    loss: `(learned, batch, context) -> (scalar, metrics)`.
    sample: as in `Distiller`.
    extra: start values of what else is learned; float leaves.
    extra_optimizer: moves `extra`.
    models: where the network in use comes from.
    advance: `(learned, batch, context) -> Model`: how that network moves on
      after the step, `learned` being what the step made of the set; skipped for
      a member about to retire. Without it, its age grows by one.
    average: decay of a moving average of what the parameterization learns,
      which then is what `distilled` decodes; 0 for none.
    gradient: replaces the gradient of `loss`, where the update follows
      something else: `(loss, decode, params, batch, context) -> ((value,
      metrics), gradient)`, with the tree of `params`.
    deliver: makes the distilled set of what was learned.
  """
  optimizers = {
    'data': optimizer,
    'extra': extra_optimizer or optax.set_to_zero(),
  }
  move, adversary = advance or _older, parameterization.adversary
  loss = against(loss, adversary) if adversary else loss
  transform = optax.partition(optimizers, {'data': 'data', 'extra': 'extra'})

  def decode(params: PyTree, constants: PyTree) -> Learned:
    data = parameterization.decode(params['data'], constants)
    return Learned(data, params['extra'])

  def begun(
    members_of: Callable[[Key, Source], PyTree] | None,
    key: Key,
    source: Source,
  ) -> State:
    k_data, k_models = jax.random.split(key)
    data, constants = parameterization.init(k_data, source)
    params = {'data': data, 'extra': {} if extra is None else extra}
    params, constants = fresh_buffers((params, constants))
    members = members_of(k_models, source) if members_of else ()
    mean = fresh_buffers(params['data']) if average else ()
    k_adversary = jax.random.fold_in(k_models, _ADVERSARY)
    second = adversary.init(k_adversary) if adversary else ()
    opt_state = transform.init(params)
    return State(params, constants, opt_state, members, mean, second)

  def update(
    key: Key, step: jax.Array, state: State, batch: PyTree
  ) -> tuple[State, Metrics]:
    k_pick, k_loss, k_advance, k_put = jax.random.split(key, 4)
    slot, model = models.pick(k_pick, state.models) if models else (0, None)

    (value, metrics), change = gradient(
      loss,
      lambda params: decode(params, state.constants),
      state.params,
      batch,
      Context(k_loss, step, model, state.adversary or None),
    )
    params, opt_state = outer_step(parameterization, transform, state, change)
    members = state.models
    if models and model is not None:
      learned = decode(params, state.constants)
      moved = jax.lax.cond(
        models.retiring(model),
        lambda: model._replace(age=model.age + 1),
        lambda: move(learned, batch, Context(k_advance, step, model)),
      )
      members = models.put(k_put, members, slot, moved)
    metrics = {'loss': value, 'grad_norm': optax.tree.norm(change), **metrics}
    second = state.adversary
    if adversary:
      data = decode(params, state.constants).data
      k_second = jax.random.fold_in(k_advance, _ADVERSARY)
      second, said = adversary.advance(k_second, second, data)
      metrics |= said
    mean = jax.tree.map(
      lambda m, p: average * m + (1 - average) * p,
      state.average,
      params['data'] if average else (),
    )
    return (
      State(params, state.constants, opt_state, members, mean, second),
      metrics,
    )

  def distilled(state: State) -> DistilledData:
    params = state.params
    if average:
      params = {**params, 'data': state.average}
    data = deliver(decode(params, state.constants))
    if parameterization.plain:
      return data
    return data._replace(factors=factors(params['data'], state.constants))

  init = functools.partial(begun, models.init if models else None)
  quick = models.structure if models else None
  structure = functools.partial(begun, quick) if quick else None
  return Distiller(init, sample, update, distilled, structure)


def _older(learned: Learned, batch: PyTree, context: Context) -> Model:
  """The network in use, untouched but one step older."""
  del learned, batch
  assert context.model is not None
  return context.model._replace(age=context.model.age + 1)


def outer_step(
  parameterization: Parameterization,
  optimizer: optax.GradientTransformation,
  state: State,
  gradient: PyTree,
) -> tuple[PyTree, PyTree]:
  """Params and optimiser state after an outer step, projected."""
  updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
  params = optax.apply_updates(state.params, updates)
  data = parameterization.project(params['data'])
  return {**params, 'data': data}, opt_state


def fresh_buffers(tree: PyTree) -> PyTree:
  """Copies every leaf into a new, strongly typed array (laws 1 and 5)."""
  return jax.tree.map(
    lambda a: jnp.array(a, jnp.result_type(a), copy=True), tree
  )


def factors(params: PyTree, constants: PyTree) -> PyTree:
  """What a factorised set is stored as: all that decoding it needs."""
  return {'params': params, 'constants': shipped(constants)}


def budget(state: State, data: DistilledData | None = None) -> Budget:
  """Counts what must be stored to decode: params and shipped constants.

  Args:
    state: of any method.
    data: the set; what else a learner must know of it (step sizes,
      temperature) counts as well.
  """
  images = ('image', 'label', 'factors')
  known = data._asdict() if data else {}
  also = [value for name, value in known.items() if name not in images]
  stored = (state.params['data'], shipped(state.constants), also)
  leaves = jax.tree.leaves(stored)
  floats = sum(a.size for a in leaves if jnp.issubdtype(a.dtype, jnp.floating))
  return Budget(floats, sum(a.nbytes for a in leaves))
