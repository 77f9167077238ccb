r"""Label distillation: real images keep their pixels and learn their labels.

Bohdal, Yang, Hospedales (arXiv 2006.08572). A single network is carried along.
An outer step takes one inner step on the support set, moves the labels by the
loss of what came out on real images, projects them on the simplex, and then
trains the network on them by an ordinary step. Once the loss has stopped
falling, its age is recorded and another network takes its place; a learner is
to train for the mean of the last three ages.

`label_distillation` differentiates through the inner step; in
`label_distillation_ridge` that step is a ridge regression on features,

.. math:: W = F^T (F F^T + \lambda I)^{-1} Y,

with no second derivative anywhere.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from dd_jax.checks import check_least, check_positive
from dd_jax.data import sampling
from dd_jax.data.source import Source
from dd_jax.distiller import Distiller, State, fresh_buffers, outer_step
from dd_jax.losses import accuracy, soft_cross_entropy
from dd_jax.methods.bptt import real_loss
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.training import (
  Batch,
  Model,
  fresh_model,
  map_chunks,
  train_step,
)
from dd_jax.types import (
  DistilledData,
  Key,
  LabeledData,
  Metrics,
  PyTree,
)

_KEPT = 3  # ages whose mean a learner is to reach
_HIGHEST = jax.lax.Precision.HIGHEST


class Progress(NamedTuple):
  """The network in use, and how the restart rule stands.

  Attributes:
    model: the network.
    losses: of the last `gap` steps, `[gap]`, the newest at `age % gap`.
    best: the lowest mean of them that this network had.
    best_age: when.
    ages: `best_age` of the networks before, newest first, `[3]`; 0 for none.
  """

  model: Model
  losses: jax.Array
  best: jax.Array
  best_age: jax.Array
  ages: jax.Array


Outer = Callable[
  [PyTree, Model, LabeledData, LabeledData], tuple[jax.Array, Metrics]
]
"""`(extra, model, support batch, real batch) -> (loss, metrics)`."""


def label_distillation(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  batch_size: int = 1024,
  inner_batch_size: int = 50,
  inner_step_size: float = 0.01,
  inner_optimizer: optax.GradientTransformation | None = None,
  gap: int = 50,
) -> Distiller:
  """Label distillation through one step of gradient descent.

  Args:
    parameterization: gives images and labels; made to learn labels only.
    network: the learner.
    optimizer: of the labels; the paper's is Adam at 1e-3.
    batch_size: real images of the outer loss.
    inner_batch_size: support images in one inner step, at most.
    inner_step_size: of the step that is differentiated.
    inner_optimizer: trains the network in use; the paper's, and the default, is
      Adam at 1e-3.
    gap: steps of the moving average, and without progress, that end a network.

  Raises:
    UserError: a setting out of range.
  """
  check_positive(inner_step_size=inner_step_size)
  sgd = optax.sgd(inner_step_size)

  def outer(
    extra: PyTree, model: Model, support: LabeledData, real: LabeledData
  ) -> tuple[jax.Array, Metrics]:
    del extra
    opt_state = sgd.init(model.variables['params'])
    batch = Batch(support, jnp.ones(support.image.shape[0]))
    moved = train_step(
      network,
      sgd,
      soft_cross_entropy,
      model._replace(opt_state=opt_state),
      batch,
    )
    return real_loss(network, moved.variables, real)

  return _distiller(
    parameterization,
    network,
    {'data': optimizer, 'extra': optax.set_to_zero()},
    outer,
    {},
    inner_optimizer or optax.adam(1e-3),
    (batch_size, inner_batch_size, gap),
  )


def label_distillation_ridge(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  batch_size: int = 1024,
  inner_batch_size: int = 50,
  ridge: float = 1.0,
  scale_rate: float = 0.01,
  inner_optimizer: optax.GradientTransformation | None = None,
  gap: int = 50,
) -> Distiller:
  """Label distillation through a ridge regression on the network's features.

  The regression's logits are multiplied by a learned number. The network itself
  is trained with its own last layer, so that any learner can use the labels.

  Args:
    parameterization: gives images and labels; made to learn labels only.
    network: the learner.
    optimizer: of the labels; the paper's is Adam at 1e-3.
    batch_size: real images of the outer loss.
    inner_batch_size: support images in one inner step, at most.
    ridge: lambda, absolute.
    scale_rate: rate of Adam for the number, which starts at 1.
    inner_optimizer: trains the network in use; the paper's, and the default, is
      Adam at 1e-3.
    gap: steps of the moving average, and without progress, that end a network.

  Raises:
    UserError: a setting out of range.
  """
  check_positive(ridge=ridge)

  def features(model: Model, image: jax.Array) -> jax.Array:
    phi = network.apply(model.variables, image)[0].features
    return jnp.concatenate([phi, jnp.ones_like(phi[:, :1])], 1)

  def outer(
    extra: PyTree, model: Model, support: LabeledData, real: LabeledData
  ) -> tuple[jax.Array, Metrics]:
    phi = features(model, support.image)
    seen = map_chunks(lambda image: features(model, image), real.image)
    gram = jnp.matmul(phi, phi.T, precision=_HIGHEST)
    gram = gram + ridge * jnp.eye(len(gram), dtype=gram.dtype)
    dual = jax.scipy.linalg.solve(gram, support.label, assume_a='pos')
    cross = jnp.matmul(seen, phi.T, precision=_HIGHEST)
    logits = extra['scale'] * jnp.matmul(cross, dual, precision=_HIGHEST)
    value = jnp.mean(soft_cross_entropy(logits, real.label))
    metrics = {'batch_accuracy': accuracy(logits, real.label)}
    return value, {**metrics, 'scale': extra['scale']}

  return _distiller(
    parameterization,
    network,
    {'data': optimizer, 'extra': optax.adam(scale_rate)},
    outer,
    {'scale': 1.0},
    inner_optimizer or optax.adam(1e-3),
    (batch_size, inner_batch_size, gap),
  )


def _distiller(
  parameterization: Parameterization,
  network: Network,
  optimizers: dict[str, optax.GradientTransformation],
  outer: Outer,
  extra: dict[str, Any],
  inner: optax.GradientTransformation,
  sizes: tuple[int, int, int],
) -> Distiller:
  """Either variant; `sizes` are real batch, inner batch and gap."""
  batch_size, inner_size, gap = sizes
  check_least(1, inner_batch_size=inner_size, gap=gap)
  transform = optax.partition(optimizers, {'data': 'data', 'extra': 'extra'})

  def init(key: Key, source: Source) -> State:
    k_data, k_model = jax.random.split(key)
    data, constants = parameterization.init(k_data, source)
    params, constants = fresh_buffers(
      ({'data': data, 'extra': extra}, constants)
    )
    progress = jax.jit(newborn)(k_model, jnp.zeros(_KEPT, jnp.int32))
    return State(params, constants, transform.init(params), progress)

  def newborn(key: Key, ages: jax.Array) -> Progress:
    return Progress(
      fresh_model(network, inner, key),
      jnp.zeros(gap, jnp.float32),
      jnp.asarray(jnp.finfo(jnp.float32).max, jnp.float32),
      jnp.zeros((), jnp.int32),
      ages,
    )

  def update(
    key: Key, step: jax.Array, state: State, real: LabeledData
  ) -> tuple[State, Metrics]:
    del step
    k_rows, k_new = jax.random.split(key)
    model = state.models.model

    def chosen(params: PyTree) -> LabeledData:
      data = parameterization.decode(params['data'], state.constants)
      rows = jax.random.permutation(k_rows, data.image.shape[0])[:inner_size]
      return jax.tree.map(lambda a: a[rows], data)

    def loss(params: PyTree) -> tuple[jax.Array, Metrics]:
      return outer(params['extra'], model, chosen(params), real)

    gradient = jax.value_and_grad(loss, has_aux=True)
    (value, metrics), change = gradient(state.params)
    params, opt_state = outer_step(parameterization, transform, state, change)
    support = chosen(params)
    batch = Batch(support, jnp.ones(support.image.shape[0]))
    model = train_step(network, inner, soft_cross_entropy, model, batch)
    progress = noted(state.models._replace(model=model), value)
    over = finished(progress)
    progress = jax.lax.cond(
      over, lambda: newborn(k_new, _pushed(progress)), lambda: progress
    )
    metrics |= {'loss': value, 'grad_norm': optax.tree.norm(change)}
    metrics['model_age'] = progress.model.age
    return State(params, state.constants, opt_state, progress), metrics

  def sample(key: Key, step: jax.Array, source: Source) -> LabeledData:
    del step
    return sampling.uniform(key, source, batch_size)

  def distilled(state: State) -> DistilledData:
    data = parameterization.decode(state.params['data'], state.constants)
    return DistilledData(*data, num_steps=_steps(state.models))

  return Distiller(init, sample, update, distilled)


def noted(progress: Progress, value: jax.Array) -> Progress:
  """The restart rule after one more loss."""
  age, gap = progress.model.age, len(progress.losses)
  losses = progress.losses.at[age % gap].set(value.astype(jnp.float32))
  mean = jnp.mean(losses)
  better = (age >= gap) & (mean < progress.best)
  return progress._replace(
    losses=losses,
    best=jnp.where(better, mean, progress.best),
    best_age=jnp.where(better, age, progress.best_age),
  )


def finished(progress: Progress) -> jax.Array:
  """Whether the mean loss has not fallen for as long as it looks back."""
  age, gap = progress.model.age, len(progress.losses)
  return (age >= gap) & (age - progress.best_age >= gap)


def _pushed(progress: Progress) -> jax.Array:
  """The ages, with that of this network in front."""
  return jnp.concatenate([progress.best_age[None], progress.ages[:-1]])


def _steps(progress: Progress) -> jax.Array:
  """The mean of the ages; before there are any, how old the network is."""
  ages, known = progress.ages, progress.ages > 0
  mean = jnp.sum(ages) // jnp.maximum(jnp.sum(known), 1)
  return jnp.where(known[0], mean, jnp.maximum(progress.model.age, 1))


RECIPE = {
  'parameterization': {'learn_images': False, 'labels': 'simplex'},
  'network': {'name': 'lenet'},
  'optimizer': {'name': 'adam', 'learning_rate': 1e-3},
  'inner_optimizer': {'name': 'adam', 'learning_rate': 1e-3},
  'num_steps': 19_600,
  'validate_every': 980,
  'evaluation': {'protocol': 'ld'},
}
"""The settings for MNIST: 400 epochs of 49 batches (arXiv 2006.08572)."""
