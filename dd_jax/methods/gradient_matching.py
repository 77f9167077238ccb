r"""Gradient matching with a network that trains on the support set.

Images are moved so that the gradient which they give a network's weights is
the one that real images of their class give,

.. math:: \sum_c D(\nabla_\theta \ell(\theta; A_{\omega_c}(S_c)),
  \nabla_\theta \ell(\theta; A_{\omega_c}(T_c))),

with one augmentation :math:`\omega_c` for both, drawn anew for every class and
step. `dc`, `dsa` and `dcc` take one step for the sum over classes and train the
network on the distilled set in between.
"""

import functools

import jax
import numpy as np
import optax

from dd_jax.checks import check_least, check_name
from dd_jax.data import sampling
from dd_jax.distiller import Context, Distiller, Learned, from_loss
from dd_jax.losses import soft_cross_entropy
from dd_jax.methods import class_distance
from dd_jax.methods.class_gradients import (
  STATISTICS,
  by_class,
  named_matcher,
  with_statistics,
)
from dd_jax.models import successive
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization, check_even
from dd_jax.training import Model, epochs, train, train_step
from dd_jax.types import Augment, LabeledData, Metrics

# By images per class: (matching steps with one network, epochs of training
# between two of them).
_FROM_TEN = {
  10: (10, 50),
  20: (20, 25),
  30: (30, 20),
  40: (40, 15),
  50: (50, 10),
}
_LOOPS = {'dc': {1: (1, 1), **_FROM_TEN}, 'dcc': {1: (10, 5), **_FROM_TEN}}


def loops(ipc: int, table: str = 'dc') -> tuple[int, int]:
  """Matching steps with one network, and epochs of training between two.

  The published table for 1, 10, 20, 30, 40 and 50 images per class; linear in
  between; the last row beyond, as the authors advise.

  Args:
    ipc: images per class.
    table: 'dc' or 'dcc', which differ at 1 image per class.

  Raises:
    UserError: for another table.
  """
  check_name('table', table, _LOOPS)
  sizes = list(_LOOPS[table])
  columns = np.array(list(_LOOPS[table].values())).T
  outer, inner = (int(np.rint(np.interp(ipc, sizes, c))) for c in columns)
  return outer, inner


def gradient_matching(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  ipc: int,
  *,
  inner_optimizer: optax.GradientTransformation | None = None,
  batch_size: int = 256,
  distance: str = 'layerwise',
  matched: str = 'weights',
  level: str = 'class',
  warm_up: int = 0,
  inner_warm_up: int = 0,
  augment: Augment | None = None,
  inner_augment: Augment | None = None,
  outer_steps: int | None = None,
  inner_epochs: int | None = None,
  table: str = 'dc',
  inner_batch_size: int = 256,
) -> Distiller:
  """One outer step for all classes.

  Args:
    parameterization: of the support set.
    network: the learner whose gradients are matched.
    optimizer: DC's is SGD at 0.1 with momentum 0.5.
    ipc: images per class; chooses the loops.
    inner_optimizer: trains the network on the support set; DC's, and the
      default, is SGD at 0.01.
    batch_size: real images of each class in a step, with replacement.
    distance: of gradients, a name in `losses.DISTANCES`.
    matched: 'weights' (no biases or norms), 'convolutions' or 'all'.
    level: 'class' (DC), 'sum' (DCC: gradients averaged over classes are
      compared) or 'both' distances added.
    warm_up: networks during which the level is 'class' all the same, ...
    inner_warm_up: ... up to this age of each.
    augment: siamese: the same draw for real and support images, another for
      every class and step (DSA); None for DC.
    inner_augment: of the support images that the network is trained on.
    outer_steps: matching steps with one network; by default see `loops`.
    inner_epochs: of training between two of them; by default see `loops`.
    table: of those defaults, 'dc' or 'dcc'.
    inner_batch_size: support images in one training step, at most.

  Raises:
    UserError: a setting is unknown or out of range.
  """
  check_even(parameterization)
  check_name('level', level, class_distance.LEVELS)
  rows = loops(ipc, table)
  outer, inner = outer_steps or rows[0], inner_epochs or rows[1]
  check_least(1, batch_size=batch_size, outer_steps=outer, inner_epochs=inner)
  matcher = named_matcher(network, distance, matched, augment)
  inner_optimizer = inner_optimizer or optax.sgd(0.01)
  one_step = functools.partial(
    train_step, network, inner_optimizer, soft_cross_entropy
  )

  def loss(
    learned: Learned, batch: LabeledData, context: Context
  ) -> tuple[jax.Array, Metrics]:
    model, support = context.model, by_class(learned.data)
    assert model is not None
    shown = batch.image[:STATISTICS].reshape(-1, *batch.image.shape[2:])
    gradients = matcher.at(with_statistics(network, model.variables, shown))
    keys = jax.random.split(context.key, support.label.shape[0])
    real = jax.tree.map(lambda a: a.swapaxes(0, 1), batch)
    at = lambda level: class_distance.distance(
      gradients, level, keys, support, real
    )
    if level == 'class' or not warm_up:
      value = at(level)
    else:
      late = (context.step // outer >= warm_up) | (model.age >= inner_warm_up)
      value = jax.lax.cond(late, lambda: at(level), lambda: at('class'))
    return value, {'model_age': model.age}

  def advance(learned: Learned, batch: LabeledData, context: Context) -> Model:
    del batch
    model = context.model
    assert model is not None
    batches, per_epoch = epochs(
      context.key, learned.data, inner_batch_size, inner_augment
    )
    trained = train(one_step, model, batches, inner * per_epoch)
    return trained._replace(age=model.age + 1)

  return from_loss(
    parameterization,
    optimizer,
    loss,
    sample=sampling.each_step(sampling.per_class, batch_size),
    models=successive(network, inner_optimizer, lifetime=outer),
    advance=advance,
  )


SHARED_RECIPE = {
  'parameterization': {'labels': 'fixed'},
  'optimizer': {'name': 'sgd', 'learning_rate': 0.1, 'momentum': 0.5},
  'inner_optimizer': {'name': 'sgd', 'learning_rate': 0.01},
  'evaluation': {'features': 'network'},
}
"""What the published settings of the family share."""
