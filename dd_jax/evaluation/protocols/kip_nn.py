"""KIP's finite network."""

from dd_jax.evaluation.protocols.base import (
  Protocol,
  Setting,
  centred,
  learner,
)
from dd_jax.evaluation.tangent import tangent_test
from dd_jax.networks import NETWORKS


def kip_nn(setting: Setting) -> Protocol:
  """KIP's finite network (arXiv 2107.13034): see `tangent.tangent_test`.

  ConvNet of width 1,024 without normalisation, 5,000 steps, labels as learned.
  """
  network = learner(setting, NETWORKS['kip_convnet'])
  steps = setting.steps or 5000
  test = centred(setting, tangent_test(network, steps, setting.mesh))
  return Protocol('kip-nn', test, steps=lambda data: steps)
