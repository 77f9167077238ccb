r"""Meta-gradient descent: through the training of networks, on average.

.. math:: \nabla_S \frac{1}{n} \sum_{i=1}^n L(\theta_T^{(i)}(S))

over `n` networks that each start afresh, one after the other (`inner_loop`).
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from dd_jax.checks import check_least, check_name
from dd_jax.data import sampling
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
from dd_jax.methods.inner_loop import InnerLoop, unrolled_loss
from dd_jax.parameterization.base import Parameterization
from dd_jax.types import Augment, Key, LabeledData, Metrics, PyTree, UserError
from dd_jax.unroll import PLANS, choose_plan

_GIB = 2.0**30


def meta_gradient_descent(
  parameterization: Parameterization,
  optimizer: optax.GradientTransformation,
  inner: InnerLoop,
  length: int,
  place: Callable[[Key, jax.Array], jax.Array] | None = None,
  *,
  batch_size: int,
  networks: int,
  plan: str,
  memory: float,
  real_augment: Augment | None = None,
) -> Distiller:
  """Moves the support set by the gradient of what training on it is worth.

  Args:
    parameterization: of the support set.
    optimizer: moves it.
    inner: how a fresh network is trained.
    length: inner steps that are differentiated, the last ones.
    place: `(key, outer step) -> steps before those`; by default there are none.
    batch_size: real images of the outer loss, the same number of every class.
    networks: unrolls whose gradients an outer step averages, one by one.
    plan: of the memory, one of `unroll.PLANS`, or 'auto'.
    memory: GiB that 'auto' may use.
    real_augment: of the real images, or None.

  Raises:
    UserError: a setting is out of range.
  """
  check_name('plan', plan, (*PLANS, 'auto'))
  if not memory > 0:
    raise UserError(f'memory={memory}: must be above 0 (GiB)')
  check_least(1, networks=networks)

  def loss(
    plan: str, data: LabeledData, batch: LabeledData, key: Key, step: jax.Array
  ) -> tuple[jax.Array, Metrics]:
    start: int | jax.Array = 0
    if real_augment:
      k_real, key = jax.random.split(key)
      batch = batch._replace(image=real_augment(k_real, batch.image))
    if place:
      k_place, key = jax.random.split(key)
      start = place(k_place, step)
    return unrolled_loss(inner, data, batch, key, start, length, plan)

  return from_loss(
    parameterization,
    optimizer,
    _with_plan(loss, plan, memory * _GIB),
    sample=sampling.each_step(sampling.class_balanced, batch_size),
    gradient=averaged_gradient(networks),
  )


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


def _with_plan(
  loss: Callable[..., tuple[jax.Array, Metrics]], plan: str, budget: float
) -> Loss:
  """The loss under a plan; 'auto' is decided here, by a budget in bytes."""

  def program(plan: str) -> Callable[..., PyTree]:
    return jax.grad(functools.partial(loss, plan), has_aux=True)

  def planned(
    learned: Learned, batch: LabeledData, context: Context
  ) -> tuple[jax.Array, Metrics]:
    args = (learned.data, batch, context.key, context.step)
    chosen = choose_plan(program, args, budget) if plan == 'auto' else plan
    return loss(chosen, *args)

  return planned
