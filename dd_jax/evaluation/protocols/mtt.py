"""The protocol of trajectory matching."""

import jax

from dd_jax import augment
from dd_jax.evaluation.learners import learner_test, recipe_steps
from dd_jax.evaluation.protocols import dc
from dd_jax.evaluation.protocols.base import (
  Protocol,
  Setting,
  on_simplex,
  unmirrored,
)
from dd_jax.types import DistilledData

_DIGITS = ('mnist', 'svhn_cropped', 'digits')
_DSA_DIGITS = 'color_crop_cutout_scale_rotate'


def mtt(setting: Setting) -> Protocol:
  """The protocol of trajectory matching (arXiv 2203.11932).

  As `dc` for 1,001 epochs, with every image of a batch augmented on its own by
  one operation of DSA (none flips digits), at the step size that was learned
  with the set; 0.01 where none was.
  """
  mirrors = setting.dataset not in _DIGITS
  strategy = augment.DSA if mirrors and setting.mirrors else _DSA_DIGITS
  transform = augment.dsa(strategy, siamese=False)
  recipe = dc.recipe(setting, transform, _step_size)
  name = unmirrored('mtt', mirrors, setting)
  test = on_simplex(setting, learner_test(recipe))
  return Protocol(name, test, steps=recipe_steps(recipe))


def _step_size(data: DistilledData) -> float | jax.Array:
  rate = data.step_size
  if rate is None or rate.ndim:  # none learned, or one for each step
    return dc.STEP_SIZE
  return rate
