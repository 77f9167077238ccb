"""Label solve: the best labels for given images, in closed form.

KIP's companion (Nguyen, Chen, Lee, arXiv 2011.00050; Nguyen et al., arXiv
2107.13034): images stay as they are.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from dd_jax.data import sampling
from dd_jax.data.source import Source
from dd_jax.distiller import Distiller, State, factors, fresh_buffers
from dd_jax.kernels.ridge import Ridge, predict, solve
from dd_jax.losses import squared_error
from dd_jax.methods.method import Method
from dd_jax.methods.regression import CENTRED
from dd_jax.parameterization.base import DERIVED, Parameterization
from dd_jax.types import (
  DistilledData,
  Kernel,
  Key,
  Metrics,
  PyTree,
)

_HIGHEST = jax.lax.Precision.HIGHEST


class NormalEquations(NamedTuple):
  """Sums over the real data seen so far.

  Attributes:
    gram: `K_st K_ts`, `[n, n]`.
    moment: `K_st y_t`, `[n, k]`.
  """

  gram: jax.Array
  moment: jax.Array


def label_solve(
  parameterization: Parameterization,
  kernel: Kernel,
  *,
  batch_size: int = 1000,
  ridge: Ridge = Ridge(1e-6, 'trace'),
  solve_ridge: Ridge = Ridge(1e-7, 'trace'),
) -> Distiller:
  r"""The best labels for the images that `parameterization` starts from.

  .. math:: y_s = (K_{ss} + \lambda I)(K_{st} K_{ts})^{-1} K_{st} y_t

  Normal equations are summed over a sweep of the real data, one batch a step,
  so that the training set never has to fit; `ceil(len(source) / batch_size)`
  steps see everything once, and more start another sweep of the same sums.

  Args:
    parameterization: gives the images; its labels are not used.
    kernel: `(x1, x2 or None) -> K`.
    batch_size: real images a step.
    ridge: of the regression that will use the labels.
    solve_ridge: keeps the normal equations, whose condition is the square of
      the kernel's, solvable in float32.
  """

  def init(key: Key, source: Source) -> State:
    params, constants = parameterization.init(key, source)
    image = fresh_buffers(parameterization.decode(params, constants).image)
    held: PyTree = {'image': image}
    if not parameterization.plain:  # the images follow from what is stored
      params = {name: p for name, p in params.items() if name != 'label'}
      params, constants = fresh_buffers((params, constants))
      held = {'params': params, 'constants': constants, DERIVED: held}
    n, k = image.shape[0], source.num_classes
    sums = NormalEquations(
      jnp.zeros((n, n), image.dtype), jnp.zeros((n, k), image.dtype)
    )
    label = jnp.zeros((n, k), image.dtype)
    return State(learned(label), held, models=sums)

  def images(state: State) -> jax.Array:
    held = state.constants
    found: jax.Array = (held if parameterization.plain else held[DERIVED])[
      'image'
    ]
    return found

  def learned(label: jax.Array) -> PyTree:
    return {'data': {'label': label}, 'extra': {}}

  def sample(
    key: Key, step: jax.Array, source: Source
  ) -> sampling.WeightedBatch:
    del key
    return sampling.sweep(step, source, batch_size)

  def update(
    key: Key, step: jax.Array, state: State, batch: sampling.WeightedBatch
  ) -> tuple[State, Metrics]:
    del key, step
    image = images(state)
    weight = batch.weight[:, None]
    k_ts = kernel(batch.data.image, image) * weight
    target = CENTRED.encode(batch.data.label)
    sums = NormalEquations(
      state.models.gram + jnp.matmul(k_ts.T, k_ts, precision=_HIGHEST),
      state.models.moment + jnp.matmul(k_ts.T, target, precision=_HIGHEST),
    )
    label, raised = _solved(kernel(image, None), sums)
    error, hit = _score(k_ts, image, label, batch)
    metrics = {'loss': error, 'batch_accuracy': hit, 'ridge_raised': raised}
    return state._replace(params=learned(label), models=sums), metrics

  def _solved(
    k_ss: jax.Array, sums: NormalEquations
  ) -> tuple[jax.Array, jax.Array]:
    weights, raised = solve(sums.gram, sums.moment, solve_ridge)
    label = jnp.matmul(k_ss, weights, precision=_HIGHEST)
    return label + ridge.penalty(k_ss) * weights, raised

  def _score(
    k_ts: jax.Array,
    image: jax.Array,
    label: jax.Array,
    batch: sampling.WeightedBatch,
  ) -> tuple[jax.Array, jax.Array]:
    prediction, _ = predict(kernel(image, None), k_ts, label, ridge)
    target = CENTRED.encode(batch.data.label)
    each = squared_error(prediction, target) / target.shape[-1]
    right = prediction.argmax(-1) == batch.data.label.argmax(-1)
    mean = lambda x: jnp.vdot(x, batch.weight) / jnp.sum(batch.weight)
    return mean(each), mean(right.astype(each.dtype))

  def distilled(state: State) -> DistilledData:
    data = DistilledData(images(state), state.params['data']['label'])
    if parameterization.plain:
      return data
    held = state.constants
    return data._replace(factors=factors(held['params'], held['constants']))

  return Distiller(init, sample, update, distilled)


RECIPE = {
  'label_encoding': 'centred',
  'num_steps': -1,  # one sweep
  'evaluation': {'protocol': 'krr-ntk'},
}
"""Real images; one sweep of the training set."""

METHOD = Method(
  label_solve,
  RECIPE,
  'real images, labels solved in closed form (arXiv 2011.00050)',
)
