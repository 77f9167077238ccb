"""Ridge regression on learned features, as FRePo has it."""

from dd_jax.evaluation.learners import recipe_steps
from dd_jax.evaluation.protocols import frepo
from dd_jax.evaluation.protocols.base import Protocol, Setting, centred
from dd_jax.evaluation.regression import feature_test


def krr_feature(setting: Setting) -> Protocol:
  """Ridge regression on the features of networks that `frepo` trains.

  The regression that FRePo learns a set by (arXiv 2206.00719).
  """
  own = frepo.recipe(setting)
  test = centred(setting, feature_test(own, setting.ridge))
  return Protocol('krr-feature', test, steps=recipe_steps(own))
