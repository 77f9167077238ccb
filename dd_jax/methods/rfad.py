r"""RFAD: random feature approximation (arXiv 2210.12067).

KIP with the kernel of a ConvNet whose covariances are estimated by the features
:math:`\phi` of M random networks of n features, drawn anew each step,

.. math:: K(x, x') = \frac{2}{M n} \sum_m \phi_m(x)^T \phi_m(x') + 0.01,

which in the mean is the NNGP kernel of the same network of infinite width with
its read-out (weights of variance 2, biases of 0.01). The cost is linear in the
number of images. The loss is cross-entropy of predictions with a learned
(Platt) scale, or squared error. All distilled images may share a learned linear
map.
"""

import functools
import math

import jax
import jax.numpy as jnp
import optax

from dd_jax.checks import check_least
from dd_jax.data import sampling
from dd_jax.distiller import Context, Distiller, Learned, from_loss
from dd_jax.kernels.ridge import Ridge, predict
from dd_jax.methods.method import Method
from dd_jax.methods.regression import (
  SCALE_RATE,
  learned_scale,
  regression_loss,
)
from dd_jax.models import fresh
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.training import map_chunks
from dd_jax.types import (
  DistilledData,
  LabeledData,
  Metrics,
  PyTree,
  UserError,
)

_HIGHEST = jax.lax.Precision.HIGHEST
W_STD, B_STD = 2**0.5, 0.1  # of the read-out; W_STD times 1/sqrt(fan in)


def rfad(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  image_shape: tuple[int, int, int],
  *,
  batch_size: int = 5120,
  networks: int = 8,
  ridge: Ridge = Ridge(5e-3, 'trace'),
  loss: str = 'cross_entropy',
  transform_rate: float = 0.0,
) -> Distiller:
  """Random feature approximation for distillation.

  Args:
    parameterization: of the support set; labels centred.
    network: of the random features: `nngp_convnet`, or any other.
    optimizer: the paper's is AdaBelief at 1e-3.
    image_shape: `(h, w, c)`.
    batch_size: real images a step; the paper's are 4 times 1,280.
    networks: drawn each step.
    ridge: the paper's is 5e-3 of the mean diagonal.
    loss: 'cross_entropy' of the predictions times a learned scale, or
      'squared_error'.
    transform_rate: step size of AdaBelief for a linear map of all distilled
      images, which starts as the identity and is part of the images returned;
      the authors' code has 5e-5. 0 for none.

  Raises:
    UserError: an unknown loss, a number out of range, or a map of images that
      are not stored as they are.
  """
  _check(parameterization, networks, transform_rate)
  extra = learned_scale(loss)
  if transform_rate:
    extra = {**extra, 'transform': jnp.eye(math.prod(image_shape))}
  rates = {'log_scale': SCALE_RATE, 'transform': transform_rate}

  def mapped(learned: Learned) -> LabeledData:
    data = learned.data
    if not transform_rate:
      return data
    flat = data.image.reshape(data.image.shape[0], -1)
    image = (flat @ learned.extra['transform']).reshape(data.image.shape)
    return data._replace(image=image)

  def objective(
    learned: Learned, batch: LabeledData, context: Context
  ) -> tuple[jax.Array, Metrics]:
    assert context.model is not None
    members = context.model.variables
    if networks == 1:
      members = jax.tree.map(lambda a: a[None], members)
    support = mapped(learned)
    k_ss, k_ts = random_kernels(network, members, support.image, batch.image)
    prediction, raised = predict(k_ss, k_ts, support.label, ridge)
    value, metrics = regression_loss(learned.extra, prediction, batch.label)
    return value, {**metrics, 'ridge_raised': raised}

  return from_loss(
    parameterization,
    optimizer,
    objective,
    sample=sampling.each_step(sampling.uniform, batch_size),
    extra=extra,
    extra_optimizer=optax.partition(
      {name: optax.adabelief(rate) for name, rate in rates.items()},
      functools.partial(jax.tree_util.tree_map_with_path, _last_key),
    ),
    models=fresh(network, optax.set_to_zero(), count=networks),
    deliver=lambda learned: DistilledData(*mapped(learned)),
  )


def random_kernels(
  network: Network, members: PyTree, support: jax.Array, target: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """The kernel that random networks estimate; no gradient to the targets.

  Args:
    network: whose penultimate features are taken.
    members: variables, stacked on a leading axis.
    support: images `[n, h, w, c]`.
    target: images `[t, h, w, c]`.

  Returns:
    `(K_ss [n, n], K_ts [t, n])`.
  """
  size = network.runs_on.pass_examples

  def one(variables: PyTree) -> PyTree:
    run = lambda x: network.apply(variables, x)[0].features
    phi_s = map_chunks(jax.checkpoint(run), support, size)
    phi_t = jax.lax.stop_gradient(map_chunks(run, target, size))
    return random_kernel(phi_s, phi_s), random_kernel(phi_t, phi_s)

  if network.runs_on.batches_networks:
    return jax.tree.map(lambda each: each.mean(0), jax.vmap(one)(members))

  def add(sums: PyTree, variables: PyTree) -> tuple[PyTree, None]:
    return jax.tree.map(jnp.add, sums, one(variables)), None

  n, t = support.shape[0], target.shape[0]
  zero = jnp.zeros((n, n), support.dtype), jnp.zeros((t, n), support.dtype)
  sums, _ = jax.lax.scan(add, zero, members)
  count = jax.tree.leaves(members)[0].shape[0]
  return jax.tree.map(lambda total: total / count, sums)


def random_kernel(phi1: jax.Array, phi2: jax.Array) -> jax.Array:
  """One network's estimate of the kernel, of features `[n, d]`, `[m, d]`."""
  product = jnp.matmul(phi1, phi2.T, precision=_HIGHEST)
  return W_STD**2 / phi1.shape[1] * product + B_STD**2


def _last_key(path: tuple, leaf: PyTree) -> str:
  del leaf
  return str(path[-1].key)


def _check(
  parameterization: Parameterization,
  networks: int,
  transform_rate: float,
) -> None:
  check_least(1, networks=networks)
  check_least(0, transform_rate=transform_rate)
  stays = parameterization.plain and not parameterization.in_range
  if transform_rate and not stays:
    raise UserError(
      f'transform_rate={transform_rate}: maps images that are stored as they '
      "are, and out of any range; use parameterization 'pixels' with the range "
      "'free', or 0"
    )


RECIPE = {
  'preprocessing': 'rfad',
  'label_encoding': 'centred',
  'parameterization': {'labels': 'fixed'},
  'network': {'name': 'nngp_convnet', 'width': 256},
  'kernel': {'name': 'conv', 'architecture': 'convnet3', 'get': 'nngp'},
  'optimizer': {'name': 'adabelief', 'learning_rate': 1e-3},
  'num_steps': 20_000,
  'validate_every': 200,
  'evaluation': {
    'protocol': 'krr-nngp',
    'others': ('krr-ntk',),
    'validation_examples': 1000,
  },
}
"""The published settings (arXiv 2210.12067); scored by the exact kernel."""

METHOD = Method(rfad, RECIPE, 'random feature approximation (arXiv 2210.12067)')
