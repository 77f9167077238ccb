r"""BPTT: back-propagation through training (arXiv 2206.02916).

.. math::
  \min_S L(\theta_T(S)), \quad
  \theta_{t+1} = \theta_t - U(\nabla_\theta l(\theta_t; S_t)) ,

differentiated through all steps (Deng and Russakovsky, whose addressing is a
parameterization).
"""

import optax

from dd_jax.checks import check_least
from dd_jax.distiller import Distiller
from dd_jax.methods.inner_loop import InnerLoop
from dd_jax.methods.meta_gradient import meta_gradient_descent
from dd_jax.methods.method import Method
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.types import Augment


def bptt(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  batch_size: int = 640,
  inner_optimizer: optax.GradientTransformation | None = None,
  inner_steps: int = 150,
  inner_batch_size: int = 1000,
  networks: int = 1,
  clip: float = 2.0,
  plan: str = 'remat',
  memory: float = 4.0,
  inner_augment: Augment | None = None,
) -> Distiller:
  """Back-propagation through the whole of training.

  Args:
    parameterization: of the support set.
    network: the learner; a fresh one for every unroll.
    optimizer: the paper's is SGD at 0.1 with momentum 0.5.
    batch_size: real images of the outer loss, the same number of every class.
    inner_optimizer: trains the network; the paper's, and the default, is SGD at
      0.01 with momentum 0.9.
    inner_steps: of the unroll.
    inner_batch_size: support images in one inner step, at most.
    networks: unrolls whose gradients an outer step averages, one by one.
    clip: largest norm of the gradient; 0 for any.
    plan: of the memory, see `dd_jax.unroll`; or 'auto'.
    memory: GiB that 'auto' may use.
    inner_augment: applied to each inner batch, to each image on its own.

  Raises:
    UserError: a setting out of range.
  """
  check_least(1, inner_steps=inner_steps)
  inner = InnerLoop(
    network,
    inner_optimizer or optax.sgd(0.01, 0.9),
    inner_batch_size,
    inner_augment,
  )

  transforms = [optax.clip_by_global_norm(clip)] if clip else []
  return meta_gradient_descent(
    parameterization,
    optax.chain(*transforms, optimizer),
    inner,
    inner_steps,
    batch_size=batch_size,
    networks=networks,
    plan=plan,
    memory=memory,
  )


RECIPE = {
  'parameterization': {'labels': 'fixed', 'start': 'noise'},
  'optimizer': {'name': 'sgd', 'learning_rate': 0.1, 'momentum': 0.5},
  'inner_optimizer': {'name': 'sgd', 'learning_rate': 0.01, 'momentum': 0.9},
  'num_steps': 500_000,
  'validate_every': 1000,
}
"""RTP's settings without its addressing (arXiv 2206.02916)."""

METHOD = Method(
  bptt, RECIPE, 'back-propagation through training (arXiv 2206.02916)'
)
