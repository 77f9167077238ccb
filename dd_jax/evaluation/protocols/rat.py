"""The protocol of random truncated back-propagation."""

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
from dd_jax.evaluation.stopping import stopped_test
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import NETWORKS
from dd_jax.types import UserError

STOPS = (300, 600, 1000, 3000)
_BATCH = 100


def rat(setting: Setting) -> Protocol:
  """The protocol of RaT-BPTT (arXiv 2310.08566), but for what chooses.

  The Adam of its inner loop, at 1e-3, in batches of 100 (theirs: ten of each
  class on CIFAR-10, one on CIFAR-100), each mirrored or rotated by up to 15
  degrees; cross-entropy with the labels as they are. Every
  learner is the best of 300, 600, 1,000 and 3,000 steps on held-out training
  images; those authors took the best on the test set, a mean over learners. A
  stated number of steps is taken as it is.
  """
  name = unmirrored('rat', True, setting)
  own = taught(recipe(setting), setting)
  if setting.steps:
    test = learner_test(own)
  elif setting.held_out:
    test = stopped_test(own, STOPS, setting.held_out)
  else:
    raise UserError(
      f'protocol {name}: held-out training images choose its steps, and there '
      'are none; hold some out (validation), or state evaluation.steps'
    )
  wanted = on_simplex(setting, test)
  return Protocol(
    name,
    wanted,
    steps=recipe_steps(own),
    batch=_BATCH,
    probabilities=True,
    taught=True,
  )


def recipe(setting: Setting) -> Recipe:
  """How those authors train a learner."""
  strategy = f'{"flip_" * setting.mirrors}rotate'
  return Recipe(
    learner(setting, NETWORKS['convnet']),
    optax.adam(1e-3),
    soft_cross_entropy,
    setting.steps or STOPS[-1],
    _BATCH,
    augment.dsa(strategy, siamese=False),
    mesh=setting.mesh,
    report=setting.report,
  )
