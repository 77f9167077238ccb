r"""FRePo: neural feature regression with pooling (arXiv 2206.00719).

Ridge regression on the penultimate features of a network drawn from a pool,

.. math:: P = \phi_t \phi_s^T (\phi_s \phi_s^T + \lambda I)^{-1} y_s,

with no gradient to the target features; that network then takes one step on the
support set. Members have all ages up to `max_age`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from dd_jax.data import sampling
from dd_jax.data.labels import LabelEncoding
from dd_jax.distiller import Context, Distiller, Learned, from_loss
from dd_jax.kernels.ridge import Ridge, predict
from dd_jax.losses import accuracy, label_margin, squared_error
from dd_jax.methods.method import Method
from dd_jax.methods.pooled import Report, pooled
from dd_jax.networks import Network, Outputs
from dd_jax.parameterization.base import Parameterization
from dd_jax.platform import Platform
from dd_jax.training import chunked_features, map_chunks
from dd_jax.types import LabeledData, Metrics

_CENTRED = LabelEncoding('centred')


def frepo(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  batch_size: int = 1024,
  ridge: Ridge = Ridge(1e-6, 'trace'),
  flip: bool = False,
  margin: float = 1.0,
  pool_size: int = 10,
  max_age: int = 100,
  inner_optimizer: optax.GradientTransformation | None = None,
  inner_batch_size: int = 1000,
  inner_steps: int = 1,
  report: Report | None = None,
) -> Distiller:
  """Neural feature regression with pooling.

  Args:
    parameterization: of the support set; labels centred, the paper's scaled by
      1/sqrt(k/10).
    network: the pool's learner.
    optimizer: the paper's is LAMB at 3e-4 with a cosine decay to a tenth.
    batch_size: real images a step.
    ridge: the paper's is 1e-6 of the mean diagonal.
    flip: adds the support set's mirror images to the regression.
    margin: weight of the label-margin term.
    pool_size: members.
    max_age: steps after which a member is replaced.
    inner_optimizer: trains members; the paper's, and the default, is Adam at
      3e-4.
    inner_batch_size: support images in one inner step, at most.
    inner_steps: steps that the network in use takes after an outer step.
    report: told how far the pool is trained at the start, or None.
  """

  def loss(
    learned: Learned, batch: LabeledData, context: Context
  ) -> tuple[jax.Array, Metrics]:
    model = context.model
    assert model is not None
    support = with_flips(learned.data) if flip else learned.data
    prediction, raised = feature_regression(
      lambda image: network.apply(model.variables, image)[0],
      support,
      batch.image,
      ridge,
      network.runs_on,
    )
    error = jnp.mean(squared_error(prediction, _CENTRED.encode(batch.label)))
    gap = label_margin(support.label)
    metrics = {
      'batch_accuracy': accuracy(prediction, batch.label),
      'label_margin': -gap,
      'model_age': model.age,
      'ridge_raised': raised,
    }
    return error + margin * gap, metrics

  members = pooled(
    network,
    inner_optimizer or optax.adam(3e-4),
    size=pool_size,
    max_age=max_age,
    batch_size=inner_batch_size,
    report=report,
    steps=(inner_steps, inner_steps),
  )
  return members.aged(
    from_loss(
      parameterization,
      optimizer,
      loss,
      sample=sampling.each_step(sampling.uniform, batch_size),
      models=members.models,
      advance=members.advance,
    )
  )


def feature_regression(
  network: Callable[[jax.Array], Outputs],
  support: LabeledData,
  image: jax.Array,
  ridge: Ridge,
  platform: Platform,
) -> tuple[jax.Array, jax.Array]:
  """Ridge regression on network features; no gradient to `image`'s.

  Args:
    network: `(image [n, h, w, c]) -> Outputs`, example by example.
    support: support set.
    image: targets `[t, h, w, c]`, passed through in chunks.
    ridge: gives lambda.
    platform: what this runs on.

  Returns:
    `(prediction [t, k], how often lambda was raised)`.
  """
  highest = jax.lax.Precision.HIGHEST
  phi_s = chunked_features(network, support.image, platform)
  phi_t = jax.lax.stop_gradient(
    map_chunks(
      lambda image: network(image).features, image, platform.pass_examples
    )
  )
  k_ss = jnp.matmul(phi_s, phi_s.T, precision=highest)
  k_ts = jnp.matmul(phi_t, phi_s.T, precision=highest)
  return predict(k_ss, k_ts, support.label, ridge)


def with_flips(data: LabeledData) -> LabeledData:
  """The support set and its mirror images."""
  return LabeledData(
    jnp.concatenate([data.image, data.image[:, :, ::-1]]),
    jnp.concatenate([data.label, data.label]),
  )


RECIPE = {
  'preprocessing': 'frepo',
  'label_encoding': 'centred',
  'parameterization': {'labels': 'free', 'label_rule': 'frepo'},
  'network': {'name': 'frepo_convnet', 'width': 128, 'norm': 'batch'},
  'optimizer': {
    'name': 'lamb',
    'learning_rate': 3e-4,
    'schedule': 'cosine',
    'final': 0.1,
  },
  'inner_optimizer': {'name': 'adam', 'learning_rate': 3e-4},
  'num_steps': 500_000,
  'validate_every': 10_000,
  'evaluation': {
    'protocol': 'frepo',
    'others': ('krr-feature',),
    'features': 'network',
  },
}
"""The published settings (arXiv 2206.00719)."""

METHOD = Method(
  frepo,
  RECIPE,
  'neural feature regression with pooling (arXiv 2206.00719)',
)
