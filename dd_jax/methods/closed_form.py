"""Distillation in closed form, for a kernel with an invertible feature map.

One sweep of the real data gives the weights W of ridge regression on the
features; then one image per class (and no fewer) is enough for the same
regression on the distilled set to give W again: Chen et al., Provable and
Efficient Dataset Distillation for Kernel Ridge Regression, NeurIPS 2024. The
accuracy is that of ridge regression on all real data, reached in seconds.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from dd_jax.data import sampling
from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import Source
from dd_jax.distiller import Distiller, State, fresh_buffers
from dd_jax.kernels.feature_map import (
  FeatureKernel,
  NormalEquations,
  add_equations,
  distilled_features,
  no_equations,
)
from dd_jax.kernels.ridge import Ridge, solve
from dd_jax.losses import squared_error
from dd_jax.methods.method import Method
from dd_jax.parameterization.starts import Start
from dd_jax.types import DistilledData, Kernel, Key, Metrics, UserError

_CENTRED = LabelEncoding('centred')


class Seen(NamedTuple):
  """What the sweep keeps.

  Attributes:
    sums: over the real data seen so far.
    around: features of the images that it starts from, `[k * ipc, d]`.
  """

  sums: NormalEquations
  around: jax.Array


def closed_form(
  kernel: Kernel,
  ipc: int,
  *,
  start: Start,
  batch_size: int = 5000,
  ridge: Ridge = Ridge(1e-6, 'trace'),
  real_ridge: Ridge = Ridge(1e-2, 'trace'),
) -> Distiller:
  """The set on which ridge regression gives the weights of the real data's.

  `ceil(len(source) / batch_size)` steps see everything once. Images of a class
  differ as those of `start` do.

  Args:
    kernel: 'linear' or 'leaky'.
    ipc: images per class; 1 is enough.
    start: real images, whose differences within a class are kept.
    batch_size: real images a step.
    ridge: of the regression that will use the set.
    real_ridge: of the regression on real features, in units of the mean
      diagonal of their second moments.

  Raises:
    UserError: the kernel has no invertible feature map.
  """
  if not isinstance(kernel, FeatureKernel):
    raise UserError(
      'kernel.name: closed_form needs features that can be inverted; allowed '
      'are linear, leaky'
    )

  def init(key: Key, source: Source) -> State:
    k = source.num_classes
    image = start(key, source, ipc)
    one_hot = jnp.repeat(jnp.eye(k, dtype=image.dtype), ipc, 0)
    params = {'image': image, 'label': _CENTRED.encode(one_hot)}
    around = kernel.features(image)
    sums = no_equations(around.shape[1], k, image.dtype)
    params, seen = fresh_buffers((params, Seen(sums, around)))
    return State({'data': params, 'extra': {}}, {}, models=seen)

  def sample(
    key: Key, step: jax.Array, source: Source
  ) -> sampling.WeightedBatch:
    del key
    return sampling.sweep(step, source, batch_size)

  def update(
    key: Key, step: jax.Array, state: State, batch: sampling.WeightedBatch
  ) -> tuple[State, Metrics]:
    del key, step
    seen, data = state.models, state.params['data']
    phi = kernel.features(batch.data.image) * batch.weight[:, None]
    target = _CENTRED.encode(batch.data.label)
    sums = add_equations(seen.sums, phi, target)
    weights, raised = solve(sums.gram, sums.moment, real_ridge)
    found = distilled_features(weights, seen.around, ridge.value)
    image = kernel.invert(found.features).reshape(data['image'].shape)
    prediction = phi @ weights
    mean = lambda x: jnp.vdot(x, batch.weight) / jnp.sum(batch.weight)
    right = prediction.argmax(-1) == target.argmax(-1)
    metrics = {
      'loss': mean(squared_error(prediction, target)),
      'batch_accuracy': mean(right.astype(phi.dtype)),
      'slack': found.slack,
      'ridge_raised': raised,
    }
    params = {'data': {**data, 'image': image}, 'extra': {}}
    moved = state._replace(params=params, models=seen._replace(sums=sums))
    return moved, metrics

  def distilled(state: State) -> DistilledData:
    data = state.params['data']
    return DistilledData(data['image'], data['label'])

  return Distiller(init, sample, update, distilled)


RECIPE = {
  'label_encoding': 'centred',
  'ipc': 1,
  'kernel': {'name': 'leaky', 'get': 'nngp'},
  'num_steps': -1,  # one sweep
  'validate_every': 0,
  'evaluation': {'protocol': 'krr-nngp'},
}
"""One image per class, random features, one sweep of the training set."""

METHOD = Method(
  closed_form,
  RECIPE,
  'exact for linear and invertible features (Chen et al., NeurIPS 2024)',
)
