"""RCIG's evaluation."""

import optax

from dd_jax.evaluation.learners import learner_test
from dd_jax.evaluation.optimizers import warmed_adam
from dd_jax.evaluation.protocols import frepo
from dd_jax.evaluation.protocols.base import (
  Protocol,
  Setting,
  centred,
  of,
  unmirrored,
)
from dd_jax.methods.frepo import with_flips
from dd_jax.types import DistilledData


def rcig(setting: Setting) -> Protocol:
  """RCIG's evaluation without augmentation (arXiv 2302.06755).

  Adam at 1e-4, warmed up and annealed as `frepo`'s over 1,000 steps for ten
  images and 2,000 for more, then as many and a half at the last, smallest rate;
  batches of at most 256; colour images come with their mirror images.
  """
  colour = setting.image_shape[-1] == 3
  mirrored = colour and setting.mirrors

  def annealed(data: DistilledData) -> int:
    size = len(data.image) // (2 if mirrored else 1)
    return setting.steps or (1000 if size <= 10 else 2000)

  def steps(data: DistilledData) -> int:
    return setting.steps or 5 * annealed(data) // 2

  def optimizer(data: DistilledData) -> optax.GradientTransformation:
    return warmed_adam(1e-4, annealed(data), final=1e-6)

  trained = learner_test(
    frepo.recipe(setting)._replace(
      optimizer=optimizer, num_steps=steps, batch_size=256, augment=None
    )
  )

  test = of(with_flips, trained) if mirrored else trained
  name = unmirrored('rcig', colour, setting)
  return Protocol(name, centred(setting, test), steps=steps)
