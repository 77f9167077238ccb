"""FRePo's final evaluation."""

import functools

import optax

from dd_jax import augment
from dd_jax.evaluation.learners import Recipe, learner_test, recipe_steps
from dd_jax.evaluation.optimizers import warmed_adam
from dd_jax.evaluation.protocols.base import (
  Protocol,
  Setting,
  centred,
  learner,
  unmirrored,
)
from dd_jax.losses import squared_error
from dd_jax.networks import NETWORKS
from dd_jax.types import DistilledData

# By set size; a size between two takes the next larger one's.
_STEPS = {
  10: 1000,
  100: 2000,
  200: 20000,
  400: 5000,
  500: 5000,
  1000: 10000,
  2000: 40000,
  5000: 40000,
}


def frepo(setting: Setting) -> Protocol:
  """FRePo's final evaluation (arXiv 2206.00719).

  Adam at 3e-4, warmed up over 500 steps and annealed by a cosine to a
  hundredth, batches of at most 500, squared error on the labels as learned, one
  augmentation a step; the number of steps follows from the size of the set. The
  learner is FRePo's ConvNet without normalisation.
  """
  own, colour = recipe(setting), _colour(setting)
  test = centred(setting, learner_test(own))
  name = unmirrored('frepo', colour, setting)
  return Protocol(name, test, steps=recipe_steps(own), batch=own.batch_size)


def recipe(setting: Setting) -> Recipe:
  """How FRePo trains a learner."""
  mirrors = _colour(setting) and setting.mirrors
  strategy = ('flip_' if mirrors else '') + 'color_crop_rotate_translate_cutout'

  def steps(data: DistilledData) -> int:
    return setting.steps or _steps(len(data.image))

  def optimizer(data: DistilledData) -> optax.GradientTransformation:
    return warmed_adam(3e-4, steps(data), final=3e-6)

  return Recipe(
    learner(setting, functools.partial(NETWORKS['frepo_convnet'], norm='none')),
    optimizer,
    squared_error,
    steps,
    500,
    augment.frepo(strategy),
    mesh=setting.mesh,
    report=setting.report,
  )


def _colour(setting: Setting) -> bool:
  return setting.image_shape[-1] == 3


def _steps(size: int) -> int:
  sizes = [n for n in sorted(_STEPS) if n >= size]
  return _STEPS[sizes[0] if sizes else max(_STEPS)]
