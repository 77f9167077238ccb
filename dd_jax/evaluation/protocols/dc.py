"""The protocol of DC, and of most methods after it."""

from collections.abc import Callable

import jax
import optax

from dd_jax import augment
from dd_jax.evaluation.learners import Recipe, learner_test, recipe_steps
from dd_jax.evaluation.optimizers import restarted_sgd
from dd_jax.evaluation.protocols.base import (
  Protocol,
  Setting,
  learner,
  on_simplex,
)
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import NETWORKS
from dd_jax.types import Augment, DistilledData

STEP_SIZE, BATCH = 0.01, 256


def dc(setting: Setting) -> Protocol:
  """The protocol of DC (arXiv 2006.05929), with its augmentation of MNIST.

  SGD at 0.01 with momentum 0.9 and weight decay 5e-4, batches of 256, for 301
  epochs, 1,001 with augmentation; a tenth of the rate and a fresh momentum from
  the middle on. Labels on the simplex are used as they are, any others by their
  largest entry.
  """
  transform = augment.dc_mnist() if setting.dataset == 'mnist' else None
  plain = recipe(setting, transform, lambda data: STEP_SIZE)
  test = on_simplex(setting, learner_test(plain))
  return Protocol('dc', test, steps=recipe_steps(plain))


def recipe(
  setting: Setting,
  transform: Augment | None,
  step_size: Callable[[DistilledData], float | jax.Array],
) -> Recipe:
  """How DC trains a learner, at a step size that may be the set's own.

  Args:
    setting: of the run.
    transform: of each batch, or None: the longer training goes with it.
    step_size: of the first half.
  """
  epochs = 300 if transform is None else 1000  # from 0 to this one

  def optimizer(data: DistilledData) -> optax.GradientTransformation:
    half = restart(len(data.image), epochs, setting.steps)
    return restarted_sgd(step_size(data), half, momentum=0.9, weight_decay=5e-4)

  return Recipe(
    learner(setting, NETWORKS['convnet']),
    optimizer,
    soft_cross_entropy,
    lambda data: setting.steps or (epochs + 1) * per_epoch(len(data.image)),
    BATCH,
    transform,
    setting.mesh,
  )


def restart(size: int, epochs: int, steps: int | None) -> int:
  """The step from which the rate is a tenth."""
  return steps // 2 if steps else (epochs // 2 + 2) * per_epoch(size)


def per_epoch(size: int) -> int:
  """Optimiser steps of one epoch on a set of that size."""
  return -(-size // min(BATCH, size))
