"""The protocol of IDC."""

import optax

from dd_jax import augment
from dd_jax.evaluation.learners import Recipe, learner_test, recipe_steps
from dd_jax.evaluation.protocols.base import (
  Protocol,
  Setting,
  learner,
  on_simplex,
  taught,
  unmirrored,
)
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import NETWORKS
from dd_jax.types import DistilledData

_EPOCHS, _BATCH = 1000, 64


def idc(setting: Setting) -> Protocol:
  """The protocol of IDC (arXiv 2205.14959), and of M3D.

  SGD at 0.01 with momentum 0.9 and weight decay 5e-4, batches of 64, for 1,000
  epochs; a fifth of the rate from two thirds and again from five sixths on.
  Every image is mirrored by a coin, changes its colours, and then is cropped,
  zoomed or rotated; in half of the steps the batch goes through CutMix.
  """
  name = unmirrored('idc', True, setting)
  own = taught(recipe(setting), setting)
  test = on_simplex(setting, learner_test(own))
  return Protocol(
    name,
    test,
    steps=recipe_steps(own),
    batch=_BATCH,
    probabilities=True,
    taught=True,
  )


def recipe(setting: Setting) -> Recipe:
  """How IDC trains a learner."""
  strategy = f'color_crop_{"flip_" * setting.mirrors}scale_rotate'

  def steps(data: DistilledData) -> int:
    size = len(data.image)
    return setting.steps or _EPOCHS * -(-size // min(_BATCH, size))

  def optimizer(data: DistilledData) -> optax.GradientTransformation:
    # Epochs, not steps, are counted there: the two differ by one epoch at most.
    fall = {share * steps(data) // 6: 0.2 for share in (4, 5)}
    rate = optax.piecewise_constant_schedule(0.01, fall)
    decay = optax.add_decayed_weights(5e-4)
    return optax.chain(decay, optax.sgd(rate, momentum=0.9))

  return Recipe(
    learner(setting, NETWORKS['convnet']),
    optimizer,
    soft_cross_entropy,
    steps,
    _BATCH,
    augment.idc(strategy, siamese=False),
    augment.cutmix,
    mesh=setting.mesh,
    report=setting.report,
  )
