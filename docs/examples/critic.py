"""A second player: a critic tells real features apart, the images fool it."""

import jax
import jax.numpy as jnp
import optax

from dd_jax import Distiller, from_loss, register
from dd_jax.checks import check_least
from dd_jax.data import sampling
from dd_jax.data.source import Source
from dd_jax.distiller import Context, Learned
from dd_jax.models import ModelPool, fresh_model
from dd_jax.networks import Network
from dd_jax.parameterization import Parameterization
from dd_jax.training import Model
from dd_jax.types import Key, LabeledData, Metrics, PyTree


def critic(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  inner_optimizer: optax.GradientTransformation,
  *,
  batch_size: int = 64,
  decay: float = 0.1,
) -> Distiller:
  """A linear critic of each class, over the features of a fresh network.

  Args:
    parameterization: of the support set, class by class.
    network: whose features are compared, drawn anew each step.
    optimizer: moves the support set, downhill.
    inner_optimizer: moves the critic, uphill.
    batch_size: real images per class.
    decay: weight of its squared scores.
  """
  check_least(1, batch_size=batch_size)

  def scores(weight: PyTree, model: Model, image: jax.Array) -> jax.Array:
    """Of `[k, n, ...]` by the class's own critic: `[k, n]`."""
    flat = image.reshape(-1, *image.shape[2:])
    features = network.apply(model.variables, flat)[0].features
    features = features.reshape(*image.shape[:2], -1)
    return jnp.einsum('knd,dk->kn', features, weight)

  def gap(
    weight: PyTree, learned: Learned, batch: LabeledData, model: Model
  ) -> tuple[jax.Array, jax.Array]:
    """How far apart the critic sees the two, and its mean squared score."""
    image = batch.image.swapaxes(0, 1)
    own = learned.data.image.reshape(len(image), -1, *image.shape[2:])
    real, fake = scores(weight, model, image), scores(weight, model, own)
    size = jnp.mean(real**2) + jnp.mean(fake**2)
    return jnp.mean(real.mean(1) - fake.mean(1)), size

  def loss(
    learned: Learned, batch: LabeledData, context: Context
  ) -> tuple[jax.Array, Metrics]:
    weight, _ = context.model.aux
    value, size = gap(weight, learned, batch, context.model)
    return value, {'critic_size': size}

  def advance(learned: Learned, batch: LabeledData, context: Context) -> Model:
    """The critic's turn, against the set as the step left it."""
    weight, opt_state = context.model.aux

    def downhill(weight: PyTree) -> jax.Array:
      value, size = gap(weight, learned, batch, context.model)
      return decay * size - value

    change, opt_state = inner_optimizer.update(
      jax.grad(downhill)(weight), opt_state, weight
    )
    moved = optax.apply_updates(weight, change), opt_state
    return context.model._replace(aux=moved, age=context.model.age + 1)

  def init(key: Key, source: Source) -> PyTree:
    del key
    image = source.take(jnp.zeros(1, jnp.int32)).image
    run = lambda key: network.apply(network.init(key), image)[0].features
    size = jax.eval_shape(run, jax.random.key(0)).shape[-1]
    weight = jnp.zeros((size, source.num_classes), image.dtype)
    return weight, inner_optimizer.init(weight)

  def pick(key: Key, critic: PyTree) -> tuple[int, Model]:
    return 0, fresh_model(network, optax.identity(), key)._replace(aux=critic)

  models = ModelPool(
    init,
    pick,
    put=lambda key, critic, slot, model: model.aux,
    retiring=lambda model: jnp.asarray(False),
  )
  return from_loss(
    parameterization,
    optimizer,
    loss,
    sample=sampling.each_step(sampling.per_class, batch_size),
    models=models,
    advance=advance,
  )


register.method(
  'critic',
  critic,
  recipe={'num_steps': 500, 'parameterization': {'labels': 'fixed'}},
  summary='a critic of features against the images',
)
