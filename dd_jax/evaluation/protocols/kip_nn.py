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
  The step size is not by the published rule, `2 k n / lambda`: the limit of
  descent without momentum, with `lambda` the largest eigenvalue of the NTK of
  the network itself on `n = 50` validation images. It is `0.95 k n / lambda` on
  50 of the distilled ones, a quarter of the limit with the momentum of 0.9 that
  both have, and is halved while learned labels make the network diverge.
  """
  network = learner(setting, NETWORKS['kip_convnet'])
  steps = setting.steps or 5000
  test = centred(setting, tangent_test(network, steps, setting.mesh))
  return Protocol('kip-nn', test, steps=lambda data: steps)
