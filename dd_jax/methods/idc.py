r"""IDC's gradient matching: on networks that train on real images.

.. math:: D(\nabla_\theta \ell(\theta; A_\omega(S_c)),
  \nabla_\theta \ell(\theta; A_\omega(T_c)))

for one class `c` in turn, with `D` the summed squares and one draw
:math:`\omega` for both (Kim et al., arXiv 2205.14959).
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import optax

from dd_jax import augment
from dd_jax.checks import check_least
from dd_jax.data import sampling
from dd_jax.data.source import Source
from dd_jax.distiller import Context, Distiller, Learned, from_loss
from dd_jax.losses import soft_cross_entropy
from dd_jax.methods.class_gradients import (
  STATISTICS,
  by_class,
  named_matcher,
  with_statistics,
)
from dd_jax.methods.decayed_sgd import DECAYED_SGD, decayed_sgd
from dd_jax.methods.gradient_matching import SHARED_RECIPE
from dd_jax.methods.method import Method
from dd_jax.models import successive
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization, check_even
from dd_jax.training import Batch, Model, epochs, mixed, train, train_step
from dd_jax.types import Augment, Key, LabeledData, Metrics, UserError


class RealBatch(NamedTuple):
  """What one step looks at.

  Attributes:
    match: real images of the class in turn, `[b, ...]`.
    train: of all classes, for the network, `[n, ...]`.
  """

  match: LabeledData
  train: LabeledData


class RealTraining(NamedTuple):
  """How a network trains on real images after each round.

  Attributes:
    step: one step of its optimiser.
    batch_size: images in one, at most.
    augment: of those.
    cutmix: probability of CutMix in one.
  """

  step: Callable[[Model, Batch], Model]
  batch_size: int
  augment: Augment
  cutmix: float

  def epoch(self, key: Key, model: Model, data: LabeledData) -> Model:
    """One pass over `data`."""
    k_mix, k_epoch = jax.random.split(key)
    batches, per_epoch = epochs(k_epoch, data, self.batch_size, self.augment)
    mix = functools.partial(augment.cutmix, probability=self.cutmix)
    return train(self.step, model, mixed(k_mix, batches, mix), per_epoch)


def idc(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  num_classes: int,
  *,
  inner_optimizer: optax.GradientTransformation | None = None,
  batch_size: int = 64,
  distance: str = 'mse',
  matched: str = 'convolutions',
  strategy: str = augment.IDC,
  align_corners: bool = False,
  inner_steps: int = 100,
  train_size: int = 2000,
  inner_batch_size: int = 64,
  inner_strategy: str = 'color_crop_flip_scale_rotate',
  cutmix: float = 0.5,
) -> Distiller:
  """An outer step for each class in turn.

  A momentum of the optimiser carries every class on during the others' steps,
  as in the published code. After a step of every class the network in use takes
  a pass over fresh real images, so it is matched in the early stages of its
  training on real data. (The images for it are drawn in every step; those of
  the last one of a round are used.)

  Args:
    parameterization: of the support set; the paper's is `multi_formation`.
    network: the learner whose gradients are matched.
    optimizer: the paper's is SGD with momentum 0.5.
    num_classes: classes; one outer step each makes a round.
    inner_optimizer: trains the network; the paper's, and the default, is
      `decayed_sgd`.
    batch_size: real images of the class in a step, with replacement.
    distance: of gradients, a name in `losses.DISTANCES`.
    matched: as in `gradient_matching`.
    strategy: siamese augmentation, see `augment.idc`.
    align_corners: see `augment.rotation`.
    inner_steps: rounds with one network.
    train_size: real images that it trains on after each round.
    inner_batch_size: of these in one training step, at most.
    inner_strategy: augmentation of those, parameters drawn per image.
    cutmix: probability of CutMix in a training step.

  Raises:
    UserError: a setting is unknown or out of range.
  """
  check_even(parameterization)
  check_least(
    1, batch_size=batch_size, inner_steps=inner_steps, train_size=train_size
  )
  if not 0 <= cutmix <= 1:
    raise UserError(f'cutmix={cutmix}: allowed are 0 to 1')
  draw = functools.partial(augment.idc, align_corners=align_corners)
  matcher = named_matcher(network, distance, matched, draw(strategy))
  inner = inner_optimizer or decayed_sgd()
  training = RealTraining(
    functools.partial(train_step, network, inner, soft_cross_entropy),
    inner_batch_size,
    draw(inner_strategy, siamese=False),
    cutmix,
  )

  def sample(key: Key, step: jax.Array, source: Source) -> RealBatch:
    if source.num_classes != num_classes:
      raise UserError(
        f'num_classes={num_classes}: the real data have {source.num_classes}'
      )
    k_match, k_train = jax.random.split(key)
    return RealBatch(
      sampling.of_class(k_match, source, step % num_classes, batch_size),
      sampling.uniform(k_train, source, train_size),
    )

  def loss(
    learned: Learned, batch: RealBatch, context: Context
  ) -> tuple[jax.Array, Metrics]:
    model, turn = context.model, context.step % num_classes
    assert model is not None
    shown = batch.train.image[: STATISTICS * num_classes]
    gradients = matcher.at(with_statistics(network, model.variables, shown))
    support = jax.tree.map(lambda a: a[turn], by_class(learned.data))
    own = gradients.of_support(context.key, support)
    real = gradients.of_real(context.key, batch.match)
    return gradients.distance(own, real), {'model_age': model.age}

  def advance(learned: Learned, batch: RealBatch, context: Context) -> Model:
    del learned
    model = context.model
    assert model is not None
    round_ends = (context.step + 1) % num_classes == 0
    moved = jax.lax.cond(
      round_ends,
      lambda: training.epoch(context.key, model, batch.train),
      lambda: model,
    )
    return moved._replace(age=model.age + 1)

  return from_loss(
    parameterization,
    optimizer,
    loss,
    sample=sample,
    models=successive(network, inner, lifetime=inner_steps * num_classes),
    advance=advance,
  )


RECIPE = {
  **SHARED_RECIPE,
  'optimizer': {'name': 'sgd', 'learning_rate': 5e-3, 'momentum': 0.5},
  'inner_optimizer': DECAYED_SGD,
  'num_steps': 2_000_000,
  'validate_every': 100_000,
  'evaluation': {'protocol': 'idc', 'features': 'network'},
}
"""The published settings on CIFAR-10 at 10 images per class."""

METHOD = Method(
  idc,
  RECIPE,
  'gradients of networks in training on real data (arXiv 2205.14959)',
)
