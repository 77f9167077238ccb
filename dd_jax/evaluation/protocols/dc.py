"""The protocol of DC, and what its descendants change of it."""

from collections.abc import Callable
from typing import NamedTuple

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
  taught,
)
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import NETWORKS
from dd_jax.types import Augment, DistilledData

STEP_SIZE = 0.01


class Course(NamedTuple):
  """What descendants change of how DC trains a learner.

  Attributes:
    step_size: of the first half, by the set that is learned from.
    batch: images of a step, at most.
  """

  step_size: Callable[[DistilledData], float | jax.Array] = lambda data: (
    STEP_SIZE
  )
  batch: int = 256


COURSE = Course()
"""DC's own."""


def dc(setting: Setting) -> Protocol:
  """The protocol of DC (arXiv 2006.05929), on any set but MNIST.

  SGD at 0.01 with momentum 0.9 and weight decay 5e-4, batches of 256, for 301
  epochs, 1,001 with augmentation; a tenth of the rate and a fresh momentum from
  the middle on. Labels on the simplex are used as they are, any others by their
  largest entry.
  """
  return trained('dc', setting, None)


def dc_mnist(setting: Setting) -> Protocol:
  """As `dc` with the augmentation that DC has for MNIST alone.

  A crop, a zoom or a rotation of each image.
  """
  return trained('dc-mnist', setting, augment.dc_mnist())


def trained(
  name: str,
  setting: Setting,
  transform: Augment | None,
  course: Course = COURSE,
) -> Protocol:
  """The protocol of that name: learners trained by `recipe`."""
  own = taught(recipe(setting, transform, course), setting)
  return Protocol(
    name,
    on_simplex(setting, learner_test(own)),
    steps=recipe_steps(own),
    batch=course.batch,
    probabilities=True,
    taught=True,
  )


def recipe(
  setting: Setting, transform: Augment | None, course: Course
) -> Recipe:
  """How DC trains a learner.

  Args:
    setting: of the run.
    transform: of each batch, or None: the longer training goes with it.
    course: what a descendant changes.
  """
  epochs = 300 if transform is None else 1000  # from 0 to this one

  def per_epoch(data: DistilledData) -> int:
    size = len(data.image)
    return -(-size // min(course.batch, size))

  def steps(data: DistilledData) -> int:
    return setting.steps or (epochs + 1) * per_epoch(data)

  def optimizer(data: DistilledData) -> optax.GradientTransformation:
    own = (epochs // 2 + 2) * per_epoch(data)  # after the epoch E // 2 + 1
    half = setting.steps // 2 if setting.steps else own
    rate = course.step_size(data)
    return restarted_sgd(rate, half, momentum=0.9, weight_decay=5e-4)

  return Recipe(
    learner(setting, NETWORKS['convnet']),
    optimizer,
    soft_cross_entropy,
    steps,
    course.batch,
    transform,
    mesh=setting.mesh,
    report=setting.report,
  )
