r"""DD: dataset distillation as first proposed (arXiv 1811.10959).

The images and the step size of every step of plain gradient descent on them are
learned,

.. math::
  \min_{S, \eta} L(\theta_T(S, \eta)), \quad
  \theta_{t+1} = \theta_t - \eta_t \nabla_\theta l(\theta_t; S_{t \bmod m}) ;

the images of a step, their order and the step sizes are the product.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dd_jax.checks import check_least, check_name, check_positive
from dd_jax.data import sampling
from dd_jax.distiller import Context, Distiller, Learned, from_loss
from dd_jax.losses import soft_cross_entropy
from dd_jax.methods.inner_loop import real_loss
from dd_jax.methods.meta_gradient import averaged_gradient
from dd_jax.methods.method import Method
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.training import Batch, Model, fresh_model, train_step
from dd_jax.types import DistilledData, Key, LabeledData, Metrics, UserError
from dd_jax.unroll import PLANS, unroll


def dd(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  batch_size: int = 1024,
  batches: int = 1,
  epochs: int = 3,
  step_size: float = 0.02,
  networks: int = 1,
  init_seed: int | None = None,
  plan: str = 'remat',
) -> Distiller:
  """Dataset distillation; with a parameterization of soft labels, `sldd`.

  Args:
    parameterization: of the support set.
    network: the learner.
    optimizer: of images, labels and step sizes; the paper's is Adam at 0.01
      with betas 0.5 and 0.999, halved every 40 epochs.
    batch_size: real images of the outer loss.
    batches: that the support set is cut into, one for each step of an epoch;
      divides the number of images.
    epochs: how often a learner goes through them.
    step_size: of every step, at the start; learned, and kept positive by a
      softplus.
    networks: random initial networks whose gradients an outer step averages.
    init_seed: of the one initial network that the set is made for; None for
      random ones.
    plan: of the memory, see `dd_jax.unroll`.

  Raises:
    UserError: a setting out of range.
  """
  check_name('plan', plan, PLANS)
  check_least(1, batches=batches, epochs=epochs, networks=networks)
  check_positive(step_size=step_size)

  def loss(
    learned: Learned, batch: LabeledData, context: Context
  ) -> tuple[jax.Array, Metrics]:
    sizes = _positive(learned)
    seed = None if init_seed is None else jnp.int32(init_seed)
    start = initial_variables(network, context.key, seed)
    model = train_in_order(network, start, learned.data, sizes, plan)
    value, metrics = real_loss(network, model.variables, batch)
    return value, {**metrics, 'step_size': jnp.mean(sizes)}

  def deliver(learned: Learned) -> DistilledData:
    seed = None if init_seed is None else jnp.int32(init_seed)
    return DistilledData(
      *learned.data, step_size=_positive(learned), init_seed=seed
    )

  raw = float(np.log(np.expm1(step_size)))
  return from_loss(
    parameterization,
    optimizer,
    loss,
    sample=sampling.each_step(sampling.uniform, batch_size),
    extra={'raw_step_size': np.full((epochs, batches), raw, np.float32)},
    extra_optimizer=optimizer,
    gradient=averaged_gradient(networks if init_seed is None else 1),
    deliver=deliver,
  )


def _positive(learned: Learned) -> jax.Array:
  return jax.nn.softplus(learned.extra['raw_step_size'])


def initial_variables(
  network: Network, key: Key, seed: jax.Array | None
) -> dict[str, jax.Array]:
  """Those of the network that `seed` names, or of a random one."""
  return network.init(key if seed is None else jax.random.key(seed))


def train_in_order(
  network: Network,
  variables: dict[str, jax.Array],
  data: LabeledData,
  step_size: jax.Array,
  plan: str = 'plain',
) -> Model:
  """Plain gradient descent with a step size for each step.

  Step `t` of `[epochs, m]` sees batch `b = t mod m`: images `b, b + m, ...`,
  which for a class-major set are the same number of every class.

  Args:
    network: the learner.
    variables: where it starts.
    data: the distilled set.
    step_size: `[epochs, m]`.
    plan: see `dd_jax.unroll`.

  Raises:
    UserError: `m` does not divide the number of images.
  """
  count, size = step_size.shape[1], data.image.shape[0]
  if size % count:
    raise UserError(
      f'batches={count}: must divide the number of images, {size}'
    )
  sizes = step_size.reshape(-1)
  optimizer = optax.sgd(lambda i: sizes[i])
  cut = jax.tree.map(lambda a: a.reshape(-1, count, *a.shape[1:]), data)
  weight = jnp.ones(size // count)

  def step(i: jax.Array, model: Model) -> Model:
    batch = jax.tree.map(lambda a: a[:, i % count], cut)
    return train_step(
      network, optimizer, soft_cross_entropy, model, Batch(batch, weight)
    )

  fresh = fresh_model(network, optimizer, jax.random.key(0))
  model = fresh._replace(variables=variables)
  return unroll(step, model, sizes.size, plan=plan)


RECIPE = {
  'parameterization': {'labels': 'fixed', 'start': 'noise'},
  'network': {'name': 'lenet'},
  'optimizer': {'name': 'adam', 'learning_rate': 1e-2},
  'num_steps': 23_600,
  'validate_every': 1180,
  'evaluation': {'protocol': 'dd', 'network': {'name': ''}},
}
"""The settings for MNIST: 400 epochs of 59 batches (arXiv 1811.10959)."""

METHOD = Method(dd, RECIPE, 'images and step sizes learned (arXiv 1811.10959)')
