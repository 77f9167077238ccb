r"""Back-propagation through training: BPTT and its truncated form, RaT-BPTT.

A network is trained on the support set and the loss of what came out, on real
images, is differentiated through all or some of the steps:

.. math::
  \min_S L(\theta_T(S)), \quad
  \theta_{t+1} = \theta_t - U(\nabla_\theta l(\theta_t; S_t))

`bptt` goes through all steps (Deng and Russakovsky, arXiv 2206.02916, whose
addressing is a parameterization); `rat_bptt` through a window at a random place
of a longer training (Feng et al., arXiv 2310.08566).
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from dd_jax.checks import check_least, check_name
from dd_jax.data import sampling
from dd_jax.data.source import Source
from dd_jax.distiller import (
  Context,
  Decode,
  Distiller,
  Gradient,
  Learned,
  Loss,
  from_loss,
  value_and_gradient,
)
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.training import Model, epochs, fresh_model, train, train_step
from dd_jax.types import (
  Augment,
  Key,
  LabeledData,
  Metrics,
  PyTree,
  UserError,
)
from dd_jax.unroll import PLANS, choose_plan, mean_loss, unroll

_GIB = 2.0**30


class Inner(NamedTuple):
  """How a network is trained on the support set inside an outer step.

  Attributes:
    network: the learner.
    optimizer: of its parameters; must be differentiable.
    batch_size: support images in one inner step, at most.
    augment: of each inner batch, or None.
  """

  network: Network
  optimizer: optax.GradientTransformation
  batch_size: int
  augment: Augment | None = None


def bptt(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  batch_size: int = 640,
  inner_optimizer: optax.GradientTransformation | None = None,
  inner_steps: int = 150,
  inner_batch_size: int = 1000,
  networks: int = 1,
  clip: float = 2.0,
  plan: str = 'remat',
  memory: float = 4.0,
  inner_augment: Augment | None = None,
) -> Distiller:
  """Back-propagation through the whole of training.

  Args:
    parameterization: of the support set.
    network: the learner; a fresh one for every unroll.
    optimizer: the paper's is SGD at 0.1 with momentum 0.5.
    batch_size: real images of the outer loss, the same number of every class.
    inner_optimizer: trains the network; the paper's, and the default, is SGD at
      0.01 with momentum 0.9.
    inner_steps: of the unroll.
    inner_batch_size: support images in one inner step, at most.
    networks: unrolls whose gradients an outer step averages, one by one.
    clip: largest norm of the gradient; 0 for any.
    plan: of the memory, see `dd_jax.unroll`; or 'auto'.
    memory: GiB that 'auto' may use.
    inner_augment: applied to each inner batch, to each image on its own.

  Raises:
    UserError: a setting out of range.
  """
  check_settings(plan, memory, inner_steps=inner_steps, networks=networks)
  inner = Inner(
    network,
    inner_optimizer or optax.sgd(0.01, 0.9),
    inner_batch_size,
    inner_augment,
  )

  def loss(
    plan: str, data: LabeledData, batch: LabeledData, key: Key, step: jax.Array
  ) -> tuple[jax.Array, Metrics]:
    del step
    return unrolled_loss(inner, data, batch, key, 0, inner_steps, plan)

  transforms = [optax.clip_by_global_norm(clip)] if clip else []
  return from_loss(
    parameterization,
    optax.chain(*transforms, optimizer),
    _with_plan(loss, plan, memory * _GIB),
    sample=_balanced(batch_size),
    gradient=averaged_gradient(networks),
  )


def rat_bptt(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  batch_size: int = 5000,
  inner_optimizer: optax.GradientTransformation | None = None,
  inner_steps: int = 200,
  window: int = 60,
  first_start: int = 0,
  placement: str = 'random',
  pace: int = 100,
  inner_batch_size: int = 1000,
  networks: int = 1,
  clip: float = 2.0,
  plan: str = 'remat',
  memory: float = 4.0,
  inner_augment: Augment | None = None,
) -> Distiller:
  """Back-propagation through a random window of training.

  Args:
    parameterization: of the support set.
    network: the learner; a fresh one for every unroll.
    optimizer: the paper's is Adam at 1e-3.
    batch_size: real images of the outer loss, the same number of every class.
    inner_optimizer: trains the network; the paper's, and the default, is Adam
      at 1e-3 (with 1e-12 inside the root: its derivative stays finite where a
      gradient is zero).
    inner_steps: of the whole training; the window lies within.
    window: steps that are differentiated; the loss is that at its end.
    first_start: the least number of steps before the window.
    placement: where the window lies: 'random', 'end', or 'forward', which moves
      it on by a step every `pace` outer steps.
    pace: see `placement`.
    inner_batch_size: support images in one inner step, at most.
    networks: unrolls whose gradients an outer step averages, one by one.
    clip: the gradient's norm may be this many times its moving average (of
      decay 0.9); 0 for any.
    plan: of the memory, see `dd_jax.unroll`; or 'auto'.
    memory: GiB that 'auto' may use.
    inner_augment: applied to each inner batch, to each image on its own.

  Raises:
    UserError: a setting out of range.
  """
  check_settings(plan, memory, window=window, networks=networks, pace=pace)
  last = inner_steps - window
  _check_window(inner_steps, window, first_start)
  place = _placement(placement, first_start, last, pace)
  inner = Inner(
    network,
    inner_optimizer or optax.adam(1e-3, eps_root=1e-12),
    inner_batch_size,
    inner_augment,
  )

  def loss(
    plan: str, data: LabeledData, batch: LabeledData, key: Key, step: jax.Array
  ) -> tuple[jax.Array, Metrics]:
    k_place, k_train = jax.random.split(key)
    start = place(k_place, step)
    return unrolled_loss(inner, data, batch, k_train, start, window, plan)

  transforms = [clip_to_average(clip)] if clip else []
  return from_loss(
    parameterization,
    optax.chain(*transforms, optimizer),
    _with_plan(loss, plan, memory * _GIB),
    sample=_balanced(batch_size),
    gradient=averaged_gradient(networks),
  )


def unrolled_loss(
  inner: Inner,
  data: LabeledData,
  batch: LabeledData,
  key: Key,
  start: int | jax.Array,
  length: int,
  plan: str,
) -> tuple[jax.Array, Metrics]:
  """What training on `data` is worth on `batch`.

  Args:
    inner: how a fresh network is trained.
    data: support set.
    batch: real images.
    key: draws the network and the order and augmentation of inner batches.
    start: steps before those that are differentiated; may be traced.
    length: steps that are differentiated.
    plan: see `dd_jax.unroll`.

  Returns:
    The mean cross-entropy, and its metrics.
  """
  model = _trained(inner, data, key, start, length, plan)
  value, metrics = real_loss(inner.network, model.variables, batch)
  end = jnp.asarray(start + length, jnp.int32)
  return value, {**metrics, 'unroll_end': end}


def real_loss(
  network: Network, variables: PyTree, batch: LabeledData
) -> tuple[jax.Array, Metrics]:
  """Mean cross-entropy of a network on real images, and its metrics."""

  def each(variables: PyTree, real: LabeledData) -> tuple[jax.Array, jax.Array]:
    logits = network.apply(variables, real.image)[0].logits
    right = logits.argmax(-1) == real.label.argmax(-1)
    return soft_cross_entropy(logits, real.label), right.astype(logits.dtype)

  value, hit = mean_loss(each, variables, batch)
  return value, {'batch_accuracy': hit}


def _trained(
  inner: Inner,
  data: LabeledData,
  key: Key,
  start: int | jax.Array,
  length: int,
  plan: str,
) -> Model:
  """A network after `start + length` steps, differentiable in the last ones."""
  k_init, k_data = jax.random.split(key)
  batches, _ = epochs(k_data, data, inner.batch_size, inner.augment)
  model = fresh_model(inner.network, inner.optimizer, k_init)
  step = functools.partial(
    train_step,
    inner.network,
    inner.optimizer,
    soft_cross_entropy,
    differentiable=True,
  )
  if not isinstance(start, int) or start:
    fixed = jax.lax.stop_gradient(data)
    before, _ = epochs(k_data, fixed, inner.batch_size, inner.augment)
    model = jax.lax.stop_gradient(train(step, model, before, start))
  forward = lambda i, model: step(model, batches(i))
  return unroll(forward, model, length, plan=plan, offset=start)


def averaged_gradient(count: int) -> Gradient:
  """The mean gradient over `count` keys, one after the other."""
  if count == 1:
    return value_and_gradient

  def gradient(
    loss: Loss,
    decode: Decode,
    params: PyTree,
    batch: PyTree,
    context: Context,
  ) -> tuple[tuple[jax.Array, Metrics], PyTree]:
    def one(key: Key) -> PyTree:
      keyed = context._replace(key=key)
      return value_and_gradient(loss, decode, params, batch, keyed)

    def add(total: PyTree, key: Key) -> tuple[PyTree, None]:
      return jax.tree.map(jnp.add, total, one(key)), None

    keys = jax.random.split(context.key, count)
    zeros = jax.tree.map(
      lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(one, keys[0])
    )
    total = jax.lax.scan(add, zeros, keys)[0]
    return jax.tree.map(lambda a: (a / count).astype(a.dtype), total)

  return gradient


class AverageState(NamedTuple):
  """State of `clip_to_average`: the moving average of the norm, 0 at first."""

  norm: jax.Array


def clip_to_average(
  factor: float, decay: float = 0.9
) -> optax.GradientTransformation:
  """Scales a gradient down to `factor` times the average norm so far.

  The average is that of the norms after clipping, so that a single explosion
  does not lift the bound for those that follow.
  """

  def init(params: PyTree) -> AverageState:
    dtype = jnp.result_type(*jax.tree.leaves(params))
    return AverageState(jnp.zeros((), dtype))

  def update(
    gradient: PyTree, state: AverageState, params: PyTree = None
  ) -> tuple[PyTree, AverageState]:
    del params
    norm = optax.tree.norm(gradient)
    first = state.norm == 0
    bound = jnp.where(first, norm, factor * state.norm)
    scale = jnp.where(norm > bound, bound / norm, 1.0)
    clipped = jnp.minimum(norm, bound)
    mean = jnp.where(first, norm, decay * state.norm + (1 - decay) * clipped)
    gradient = jax.tree.map(lambda g: (scale * g).astype(g.dtype), gradient)
    return gradient, AverageState(mean.astype(state.norm.dtype))

  return optax.GradientTransformation(init, update)


def _balanced(
  batch_size: int,
) -> Callable[[Key, jax.Array, Source], LabeledData]:
  def sample(key: Key, step: jax.Array, source: Source) -> LabeledData:
    del step
    return sampling.class_balanced(key, source, batch_size)

  return sample


def _with_plan(
  loss: Callable[..., tuple[jax.Array, Metrics]],
  plan: str,
  budget: float,
) -> Loss:
  """A method's loss out of one that takes a plan; 'auto' is decided here."""

  def program(plan: str) -> Callable[..., PyTree]:
    return jax.grad(functools.partial(loss, plan), has_aux=True)

  def planned(
    learned: Learned, batch: LabeledData, context: Context
  ) -> tuple[jax.Array, Metrics]:
    args = (learned.data, batch, context.key, context.step)
    chosen = choose_plan(program, args, budget) if plan == 'auto' else plan
    return loss(chosen, *args)

  return planned


def _placement(
  name: str, first: int, last: int, pace: int
) -> Callable[[Key, jax.Array], jax.Array]:
  """`(key, outer step) -> the window's first inner step`."""
  placements = {
    'random': lambda key, step: jax.random.randint(key, (), first, last + 1),
    'end': lambda key, step: jnp.int32(last),
    'forward': lambda key, step: jnp.minimum(first + step // pace, last),
  }
  check_name('placement', name, placements)
  return placements[name]


def _check_window(inner_steps: int, window: int, first_start: int) -> None:
  if window > inner_steps:
    raise UserError(
      f'window={window}: allowed are 1 to {inner_steps}, inner_steps'
    )
  if not 0 <= first_start <= inner_steps - window:
    raise UserError(
      f'first_start={first_start}: allowed are 0 to {inner_steps - window}, '
      'inner_steps less window'
    )


def check_settings(
  plan: str, memory: float | None = None, **counts: int
) -> None:
  """Refuses a plan, a budget for 'auto', or counts that cannot be.

  Raises:
    UserError: names the setting.
  """
  check_name('plan', plan, PLANS if memory is None else (*PLANS, 'auto'))
  if memory is not None and not memory > 0:
    raise UserError(f'memory={memory}: must be above 0 (GiB)')
  check_least(1, **counts)


BPTT_RECIPE = {
  'parameterization': {'labels': 'fixed', 'start': 'noise'},
  'optimizer': {'name': 'sgd', 'learning_rate': 0.1, 'momentum': 0.5},
  'inner_optimizer': {'name': 'sgd', 'learning_rate': 0.01, 'momentum': 0.9},
  'num_steps': 500_000,
  'validate_every': 1000,
}
"""RTP's settings without its addressing (arXiv 2206.02916)."""

RAT_RECIPE = {
  'preprocessing': 'kip',
  'parameterization': {'start': 'unit_noise', 'labels': 'nonnegative'},
  'optimizer': {'name': 'adam', 'learning_rate': 1e-3},
  'inner_optimizer': {'name': 'smooth_adam', 'learning_rate': 1e-3},
  'num_steps': 60_000,
  'validate_every': 1000,
}
"""RaT-BPTT's settings for CIFAR-10 (arXiv 2310.08566)."""
