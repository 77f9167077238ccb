"""Label distillation: real images keep their pixels and learn their labels.

A single network is carried along (Bohdal, Yang, Hospedales, arXiv 2006.08572).
An outer step takes one inner step on the support set, moves the labels by the
loss of what came out on real images, projects them on the simplex, and then
trains the network on them by an ordinary step; `restarts` says until when. What
`label_distillation` and `label_distillation_ridge` share.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from dd_jax.checks import check_least
from dd_jax.data import sampling
from dd_jax.data.source import Source
from dd_jax.distiller import Distiller, State, fresh_buffers, outer_step
from dd_jax.losses import soft_cross_entropy
from dd_jax.methods import restarts
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.training import Batch, Model, fresh_model, train_step
from dd_jax.types import DistilledData, Key, LabeledData, Metrics, PyTree

Outer = Callable[
  [PyTree, Model, LabeledData, LabeledData], tuple[jax.Array, Metrics]
]
"""`(extra, model, support batch, real batch) -> (loss, metrics)`."""


SHARED_RECIPE = {
  'parameterization': {'learn_images': False, 'labels': 'simplex'},
  'network': {'name': 'lenet'},
  'optimizer': {'name': 'adam', 'learning_rate': 1e-3},
  'inner_optimizer': {'name': 'adam', 'learning_rate': 1e-3},
  'num_steps': 19_600,
  'validate_every': 980,
  'evaluation': {'protocol': 'ld'},
}
"""The settings for MNIST: 400 epochs of 49 batches (arXiv 2006.08572)."""


def label_learning(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  outer: Outer,
  *,
  batch_size: int,
  inner_batch_size: int,
  inner_optimizer: optax.GradientTransformation | None,
  gap: int,
  extra: PyTree = None,
  extra_optimizer: optax.GradientTransformation | None = None,
) -> Distiller:
  """Labels learned on a network that is carried along.

  Args:
    parameterization: gives images and labels; made to learn labels only.
    network: the learner.
    optimizer: of the labels.
    outer: the loss after one inner step.
    batch_size: real images of the outer loss.
    inner_batch_size: support images in one inner step, at most.
    inner_optimizer: trains the network in use; by default Adam at 1e-3.
    gap: steps of the moving average, and without progress, that end a network.
    extra: start values of what else is learned.
    extra_optimizer: moves `extra`.

  Raises:
    UserError: a setting is out of range.
  """
  check_least(1, inner_batch_size=inner_batch_size, gap=gap)
  inner = inner_optimizer or optax.adam(1e-3)
  transform = optax.partition(
    {'data': optimizer, 'extra': extra_optimizer or optax.set_to_zero()},
    {'data': 'data', 'extra': 'extra'},
  )

  def newborn(key: Key, ages: jax.Array) -> restarts.Progress:
    return restarts.newborn(fresh_model(network, inner, key), gap, ages)

  def init(key: Key, source: Source) -> State:
    k_data, k_model = jax.random.split(key)
    data, constants = parameterization.init(k_data, source)
    params, constants = fresh_buffers(
      ({'data': data, 'extra': {} if extra is None else extra}, constants)
    )
    progress = jax.jit(newborn)(k_model, restarts.no_ages())
    return State(params, constants, transform.init(params), progress)

  def update(
    key: Key, step: jax.Array, state: State, real: LabeledData
  ) -> tuple[State, Metrics]:
    del step
    k_rows, k_new = jax.random.split(key)
    model = state.models.model

    def support(params: PyTree) -> LabeledData:
      data = parameterization.decode(params['data'], state.constants)
      rows = jax.random.permutation(k_rows, len(data.image))[:inner_batch_size]
      return jax.tree.map(lambda a: a[rows], data)

    def loss(params: PyTree) -> tuple[jax.Array, Metrics]:
      return outer(params['extra'], model, support(params), real)

    gradient = jax.value_and_grad(loss, has_aux=True)
    (value, metrics), change = gradient(state.params)
    params, opt_state = outer_step(parameterization, transform, state, change)
    model = train_step(
      network, inner, soft_cross_entropy, model, unweighted(support(params))
    )
    progress = restarts.with_loss(state.models._replace(model=model), value)
    progress = jax.lax.cond(
      restarts.finished(progress),
      lambda: newborn(k_new, restarts.ages_after(progress)),
      lambda: progress,
    )
    metrics |= {'loss': value, 'grad_norm': optax.tree.norm(change)}
    metrics['model_age'] = progress.model.age
    return State(params, state.constants, opt_state, progress), metrics

  def distilled(state: State) -> DistilledData:
    data = parameterization.decode(state.params['data'], state.constants)
    return DistilledData(*data, num_steps=restarts.num_steps(state.models))

  sample = sampling.each_step(sampling.uniform, batch_size)
  return Distiller(init, sample, update, distilled)


def unweighted(data: LabeledData) -> Batch:
  """All of `data`, every example as good as another."""
  return Batch(data, jnp.ones(data.image.shape[0]))
