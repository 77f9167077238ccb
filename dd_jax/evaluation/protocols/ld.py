"""The protocol of label distillation."""

import jax
import optax

from dd_jax.evaluation.learners import Recipe, learner_test
from dd_jax.evaluation.protocols.base import (
  Protocol,
  Setting,
  learner,
  on_simplex,
  taught,
)
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import NETWORKS
from dd_jax.types import DistilledData

_STEPS = 300


def ld(setting: Setting) -> Protocol:
  """The protocol of label distillation (arXiv 2006.08572).

  LeNet, Adam at 1e-3 on batches of 50, cross-entropy with the labels as they
  are, for as many steps as the restart rule found; 300 where the set has no
  such number.
  """

  def steps(data: DistilledData) -> int | jax.Array:
    learned = _STEPS if data.num_steps is None else data.num_steps
    return setting.steps or learned

  plain = Recipe(
    learner(setting, NETWORKS['lenet']),
    optax.adam(1e-3),
    soft_cross_entropy,
    steps,
    50,
    mesh=setting.mesh,
    report=setting.report,
  )
  recipe = taught(plain, setting)
  test = on_simplex(setting, learner_test(recipe))
  return Protocol(
    'ld',
    test,
    steps=steps,
    probabilities=True,
    taught=True,
  )
