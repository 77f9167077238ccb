r"""RCIG: implicit gradients of a convexified inner problem (arXiv 2302.06755).

A network of a pool is linearised at its weights, its last layer fitted in
closed form to what the linear part :math:`J \delta` leaves of the labels, and
that linear part learned (`convexified`),

.. math:: \delta^* = \arg\min_\delta \tfrac12 r^T (h_s h_s^T + \lambda I)^{-1} r
  + \tfrac12 |\delta|^2, \qquad r = y_s - J_s \delta.

The support set follows the gradient of the loss on real images at this optimum,
implicit part included (`implicit_gradient`).
"""

import jax.numpy as jnp
import optax

from dd_jax.checks import check_least
from dd_jax.data import sampling
from dd_jax.distiller import Distiller, from_loss
from dd_jax.kernels.ridge import Ridge
from dd_jax.methods.bilevel import BilevelProblem
from dd_jax.methods.implicit_gradient import implicit_gradient
from dd_jax.methods.method import Method
from dd_jax.methods.pooled import Report, pooled
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.types import UserError


def rcig(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  batch_size: int = 1024,
  ridge: Ridge = Ridge(5e-4, 'absolute'),
  flip: bool = False,
  margin: float = 1.0,
  iterations: int = 20,
  implicit: float = 1.0,
  average: float = 0.99,
  temperature_rate: float = 0.03,
  pool_size: int = 30,
  max_age: int = 100,
  inner_optimizer: optax.GradientTransformation | None = None,
  inner_batch_size: int = 1000,
  inner_steps: int = 15,
  report: Report | None = None,
) -> Distiller:
  """Reparameterised convexified implicit gradients.

  The other arguments are those of `frepo`.

  Args:
    parameterization: of the support set; labels centred.
    network: the pool's learner; its last dense layer is called `head`.
    optimizer: the paper's is AdaBelief at 3e-3.
    ridge: lambda is this times the number of support images.
    iterations: of conjugate gradients for each of the two linear systems.
    implicit: the implicit gradient of what is learned is scaled down to this
      many times the norm of the direct one, where it is larger; 0 for none.
    average: decay of the moving average of the support set that is returned.
    temperature_rate: step size of AdaBelief for the logarithm of the logits'
      learned scale, which starts at 0.
    inner_optimizer: trains members; the paper's, and the default, is Adam at
      5e-5.
    inner_steps: the network in use takes 1 to this many after an outer step.

  Raises:
    UserError: a number out of range.
  """
  check_least(1, iterations=iterations)
  if not 0 <= average < 1:
    raise UserError(f'average={average}: allowed are 0 to below 1')
  problem = BilevelProblem(network, ridge.value, flip, margin, iterations)
  members = pooled(
    network,
    inner_optimizer or optax.adam(5e-5),
    size=pool_size,
    max_age=max_age,
    batch_size=inner_batch_size,
    report=report,
    steps=(1, inner_steps),
  )
  return members.aged(
    from_loss(
      parameterization,
      optimizer,
      problem.loss,
      sample=sampling.each_step(sampling.uniform, batch_size),
      extra={'log_scale': jnp.zeros(())},
      extra_optimizer=optax.adabelief(temperature_rate),
      models=members.models,
      advance=members.advance,
      average=average,
      gradient=implicit_gradient(problem, implicit),
    )
  )


RECIPE = {
  'preprocessing': 'frepo',
  'label_encoding': 'centred',
  'parameterization': {'labels': 'free'},
  'network': {
    'name': 'frepo_convnet',
    'width': 128,
    'norm': 'none',
    'sharpness': 60.0,
  },
  'optimizer': {'name': 'adabelief', 'learning_rate': 3e-3},
  'inner_optimizer': {'name': 'adam', 'learning_rate': 5e-5},
  'num_steps': 10_000,
  'validate_every': 1000,
  'evaluation': {'protocol': 'frepo', 'features': 'network'},
}
"""The published settings (arXiv 2302.06755)."""

METHOD = Method(
  rcig, RECIPE, 'convexified implicit gradients (arXiv 2302.06755)'
)
