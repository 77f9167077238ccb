"""Ridge regression with the kernel of random networks, as RFAD has it."""

from dd_jax.evaluation.protocols.base import (
  Protocol,
  Setting,
  centred,
  learner,
)
from dd_jax.evaluation.wide import random_feature_test
from dd_jax.networks import NETWORKS


def krr_random(setting: Setting) -> Protocol:
  """Ridge regression with the kernel that random networks estimate.

  RFAD's (arXiv 2210.12067): of 16 ConvNets, or as many as the setting says.
  """
  network = learner(setting, NETWORKS['nngp_convnet'])
  test = random_feature_test(
    network, setting.networks, setting.ridge, setting.mesh
  )
  name = 'krr-random'
  if setting.networks != Setting._field_defaults['networks']:
    name += f' of {setting.networks}'
  return Protocol(name, centred(setting, test))
