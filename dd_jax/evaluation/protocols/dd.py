"""The protocol of dataset distillation as first proposed."""

from dd_jax.evaluation.ordered import ordered_test
from dd_jax.evaluation.protocols.base import (
  Protocol,
  Setting,
  learner,
  on_simplex,
)
from dd_jax.networks import NETWORKS


def dd(setting: Setting) -> Protocol:
  """The protocol of dataset distillation (arXiv 1811.10959).

  Plain gradient descent from the set's own initial network where it has one, a
  batch and a learned step size for each step, cross-entropy with the labels as
  they are. A set that has learned no steps is trained on for 30 of 0.02.
  """
  network = learner(setting, NETWORKS['lenet'])
  test = ordered_test(network, setting.mesh)
  return Protocol('dd', on_simplex(setting, test), probabilities=True)
