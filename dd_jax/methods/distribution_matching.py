r"""Distribution matching: images of a class are to look alike to a network.

The support set of a class and its real images are embedded by one network,
both under the same random augmentation, and their embeddings compared. `dm`,
`m3d`, `datadam`, `idm` and `cafe` differ in what they compare or in where the
network comes from.

All distances are sums over classes and coordinates, as published: the published
learning rates are for sums. All classes take one step together. M3D's and IDM's
code steps class by class with momentum 0.5, under which one gradient moves a
class by twice the rate and nothing is left of it after ten classes: plain SGD
at twice the rate is that, to within `2^-k` for `k` classes.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from dd_jax.augment import DSA
from dd_jax.checks import check_least
from dd_jax.data import sampling
from dd_jax.data.by_class import check_counts
from dd_jax.data.source import Source
from dd_jax.distiller import (
  Advance,
  Context,
  Distiller,
  Learned,
  State,
  from_loss,
)
from dd_jax.losses import soft_cross_entropy
from dd_jax.methods.embeddings import Embedder, Embedding, embeddings
from dd_jax.models import ModelPool, fresh
from dd_jax.networks import Network, Outputs
from dd_jax.parameterization.base import Parameterization, check_even
from dd_jax.training import Model
from dd_jax.types import Augment, Key, LabeledData, Metrics, UserError

Distance = Callable[[Embedding, Embedding, Context], jax.Array]
"""`(real, synthetic, context) -> scalar`."""


def distribution_matching(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  embed: Callable[[Outputs], Embedding],
  distance: Distance,
  models: ModelPool | None = None,
  advance: Advance | None = None,
  augment: Augment | None = None,
  batch_size: int = 256,
) -> Distiller:
  """A method that compares what a network sees of real and synthetic images.

  Args:
    parameterization: of the support set, as many images for each class.
    network: the learner.
    optimizer: moves the parameterization's params.
    embed: what is compared, of one forward pass.
    distance: how.
    models: where networks come from; by default a fresh one each step. Of
      several, stacked, the first one embeds.
    advance: as in `distiller.from_loss`.
    augment: the same draw for the real and the synthetic images of a class, an
      independent one for each class and step.
    batch_size: real images per class.

  Raises:
    UserError: for a batch without images or, when the state is made, a class
      without any, or a support set that is not class by class or does not
      depend on what is learned.
  """
  check_even(parameterization)
  check_least(1, batch_size=batch_size)
  embedder = Embedder(network, embed, augment)

  def loss(
    learned: Learned, batch: LabeledData, context: Context
  ) -> tuple[jax.Array, Metrics]:
    model = first_model(context.model)
    k_augment, k_distance = jax.random.split(context.key)
    keys = jax.random.split(k_augment, batch.image.shape[1])
    real, synthetic = embeddings(
      embedder, model.variables, keys, learned.data.image, batch.image
    )
    value = distance(real, synthetic, context._replace(key=k_distance))
    return value, {'model_age': model.age}

  base = from_loss(
    parameterization,
    optimizer,
    loss,
    sample=sampling.each_step(sampling.per_class, batch_size),
    models=models or fresh(network, optax.identity()),
    advance=advance,
  )

  def init(key: Key, source: Source) -> State:
    check_counts(source, 1)
    state = base.init(key, source)
    check_matchable(parameterization, state, source.num_classes)
    return state

  return base._replace(init=init)


def first_model(model: Model | None) -> Model:
  """The model itself, or the first of those stacked on a leading axis."""
  assert model is not None
  if model.age.ndim == 0:
    return model
  return jax.tree.map(lambda a: a[0], model)


def class_cross_entropy(logits: jax.Array) -> jax.Array:
  """Cross-entropy of logits `[k, n, k]` of every class in turn: `[k, n]`."""
  one_hot = jnp.broadcast_to(jnp.eye(len(logits))[:, None], logits.shape)
  return soft_cross_entropy(logits, one_hot)


def check_matchable(
  parameterization: Parameterization, state: State, classes: int
) -> None:
  """Refuses a support set that cannot be matched class by class.

  Raises:
    UserError: if it does not hold as many images of each class, or if its
      images do not depend on what is learned.
  """
  decode = lambda data: parameterization.decode(data, state.constants).image
  image = jax.eval_shape(decode, state.params['data'])
  if image.shape[0] % classes:
    raise UserError(
      f'parameterization: gives {image.shape[0]} images of {classes} classes; '
      'this method needs as many of each class'
    )
  moved = jax.vjp(decode, state.params['data'])[1](
    jax.random.normal(jax.random.key(0), image.shape, image.dtype)
  )[0]
  if not any(bool(jnp.any(leaf)) for leaf in jax.tree.leaves(moved)):
    raise UserError(
      'parameterization: learns no images; this method moves nothing else'
    )


SHARED_RECIPE = {
  'parameterization': {'labels': 'fixed'},
  'augment': DSA,
  'optimizer': {'name': 'sgd', 'learning_rate': 1.0, 'momentum': 0.5},
  'num_steps': 20_000,
  'validate_every': 2000,
  'evaluation': {'protocol': 'dsa', 'features': 'network'},
}
"""What the published settings of the family share; DM's (arXiv 2110.04181)."""
