r"""Distribution matching: DM, M3D, DataDAM and IDM.

The support set of a class is to look like the real images of that class to a
network, both under the same random augmentation. DM compares mean embeddings,

.. math:: L = \sum_c | mean_{x \in T_c} \psi(A_c(x))
                       - mean_{s \in S_c} \psi(A_c(s)) |^2,

and the others differ in what they compare or in where the network comes from.
All distances are sums over classes and coordinates, as published: the published
learning rates are for sums. All classes take one step together. M3D's and IDM's
code steps class by class with momentum 0.5, under which one gradient moves a
class by twice the rate and nothing is left of it after ten classes: plain SGD
at twice the rate is that, to within `2^-k` for `k` classes.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from dd_jax import losses
from dd_jax.augment import DSA
from dd_jax.checks import check_least, check_name
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
from dd_jax.models import ModelSource, fresh, queue, renewed
from dd_jax.networks import Network
from dd_jax.networks.network import Outputs
from dd_jax.parameterization.base import Parameterization
from dd_jax.training import (
  Batch,
  Model,
  epochs,
  map_chunks,
  train,
  train_step,
)
from dd_jax.types import Augment, Key, LabeledData, Metrics, PyTree, UserError

_NO_OPTIMIZER = optax.identity()
_HELD = 128  # synthetic images whose activations may be held for the gradient


class View(NamedTuple):
  """What a network shows of the images of every class.

  Attributes:
    mean: averaged over a class's images: `[k, ...]`.
    each: of every single image: `[k, n, ...]`.
  """

  mean: PyTree = ()
  each: PyTree = ()


Look = Callable[[Outputs], View]
"""`(outputs) -> View` whose leaves are all `[n, ...]`."""
Distance = Callable[[View, View, Context], jax.Array]
"""`(real, synthetic, context) -> scalar`."""


def matching(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  look: Look,
  distance: Distance,
  models: ModelSource | None = None,
  advance: Advance | None = None,
  augment: Augment | None = None,
  batch_size: int = 256,
) -> Distiller:
  """A method that compares what a network sees of real and synthetic images.

  Args:
    parameterization: of the support set, as many images for each class.
    network: the learner.
    optimizer: moves the parameterization's params.
    look: what is compared, of one forward pass.
    distance: how.
    models: where networks come from; by default a fresh one each step. Of
      several, stacked, the first is looked through.
    advance: as in `distiller.from_loss`.
    augment: the same draw for the real and the synthetic images of a class, an
      independent one for each class and step.
    batch_size: real images per class.

  Raises:
    UserError: for a batch without images or, when the state is made, a class
      without any, or a support set that is not class by class or does not
      depend on what is learned.
  """
  check_least(1, batch_size=batch_size)

  def loss(
    learned: Learned, batch: LabeledData, context: Context
  ) -> tuple[jax.Array, Metrics]:
    k_augment, k_distance = jax.random.split(context.key)
    keys = jax.random.split(k_augment, batch.image.shape[1])
    real, synthetic = views(
      network, first_model(context.model), look, augment, keys, learned, batch
    )
    value = distance(real, synthetic, context._replace(key=k_distance))
    age = jnp.max(first_model(context.model).age)
    return value, {'model_age': age}

  def sample(key: Key, step: jax.Array, source: Source) -> LabeledData:
    del step
    return sampling.per_class(key, source, batch_size)

  base = from_loss(
    parameterization,
    optimizer,
    loss,
    sample=sample,
    models=models or fresh(network, _NO_OPTIMIZER),
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


def views(
  network: Network,
  model: Model,
  look: Look,
  augment: Augment | None,
  keys: Key,
  learned: Learned,
  batch: LabeledData,
) -> tuple[View, View]:
  """What `model` shows of the real and of the synthetic images of each class.

  No gradient flows to the real ones, which pass in chunks that fit the cache;
  many synthetic ones pass in chunks too, computed again for the gradient, so
  that memory does not grow with the support set. Batch norm normalises by the
  batch, all classes together.

  Args:
    network: the learner.
    model: in use.
    look: what is compared.
    augment: or None.
    keys: of the augmentation, one for each class: `[k]`.
    learned: the support set, `[k * m, ...]`.
    batch: real images, `[b, k, ...]`.

  Returns:
    `(real, synthetic)`.
  """
  classes = batch.image.shape[1]
  support = learned.data.image
  support = support.reshape(classes, -1, *support.shape[1:])
  statistics = len(model.variables) > 1

  def show(image: jax.Array) -> View:
    return look(network.apply(model.variables, image, train=statistics)[0])

  def transform(image: jax.Array) -> jax.Array:
    """Augments `[k, n, ...]` class by class."""
    if augment is None:
      return image
    return jax.lax.map(lambda pair: augment(*pair), (keys, image))

  real = transform(jnp.moveaxis(batch.image, 1, 0))
  see = _as_one if statistics else _class_by_class
  held = jax.lax.stop_gradient(see(show, real))
  few = classes * support.shape[1] <= _HELD
  see = _as_one if statistics or few else _in_chunks
  return held, see(show, transform(support))


Show = Callable[[jax.Array], View]


def _class_by_class(show: Show, image: jax.Array) -> View:
  """Shows `[k, n, ...]` in chunks of one class, adding up what is averaged."""

  def chunk(image: jax.Array) -> View:
    view = show(image)
    added = jax.tree.map(lambda a: jnp.sum(a, 0, keepdims=True), view.mean)
    return View(added, view.each)

  def one(image: jax.Array) -> View:
    view = map_chunks(chunk, image)
    mean = jax.tree.map(lambda a: jnp.sum(a, 0) / len(image), view.mean)
    return View(mean, view.each)

  return jax.lax.map(one, image)


def _in_chunks(show: Show, image: jax.Array) -> View:
  """Shows `[k, n, ...]` in chunks that are computed again for the gradient."""
  flat = image.reshape(-1, *image.shape[2:])
  return _by_class(map_chunks(jax.checkpoint(show), flat), image.shape[:2])


def _as_one(show: Show, image: jax.Array) -> View:
  """Shows `[k, n, ...]` as one batch."""
  flat = image.reshape(-1, *image.shape[2:])
  return _by_class(show(flat), image.shape[:2])


def _by_class(view: View, shape: tuple[int, ...]) -> View:
  """Splits the leading axis of every leaf into `(k, n)`, and averages."""
  view = jax.tree.map(lambda a: a.reshape(*shape, *a.shape[1:]), view)
  return View(jax.tree.map(lambda a: a.mean(1), view.mean), view.each)


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


def dm(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  augment: Augment | None = None,
  batch_size: int = 256,
) -> Distiller:
  """Distribution matching (arXiv 2110.04181).

  Fresh networks; mean embeddings.

  Args:
    parameterization: of the support set; labels stay what they are.
    network: drawn anew each step; the embedding is the last layer's input.
    optimizer: the paper's is SGD at 1, momentum 0.5.
    augment: the paper's is `augment.dsa`.
    batch_size: real images per class.
  """
  return matching(
    parameterization,
    network,
    optimizer,
    look=lambda out: View(out.features),
    distance=lambda real, synthetic, _: losses.squared_gap(
      real.mean, synthetic.mean
    ),
    augment=augment,
    batch_size=batch_size,
  )


def m3d(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  augment: Augment | None = None,
  batch_size: int = 256,
  discrepancy: str = 'gaussian',
  frequencies: int = 4096,
  network_steps: int = 1,
) -> Distiller:
  """Minimised maximum mean discrepancy (arXiv 2312.15927).

  Args:
    parameterization: of the support set; the paper's is 2x2 tiles.
    network: untrained.
    optimizer: moves the support set.
    augment: siamese.
    batch_size: real images per class.
    discrepancy: 'gaussian' (the paper's five widths), 'fourier' (the same by
      random frequencies) or 'linear' (which is `dm`).
    frequencies: for 'fourier'.
    network_steps: outer steps for which one network is kept.
  """
  distances = {
    'gaussian': lambda key, x, y: losses.gaussian_discrepancy(x, y),
    'fourier': lambda key, x, y: losses.fourier_discrepancy(
      key, x, y, frequencies
    ),
    'linear': lambda key, x, y: losses.mean_discrepancy(x, y),
  }
  check_name('discrepancy', discrepancy, distances)
  check_least(1, network_steps=network_steps, frequencies=frequencies)

  def distance(real: View, synthetic: View, context: Context) -> jax.Array:
    keys = jax.random.split(context.key, len(real.each))
    each = jax.vmap(distances[discrepancy])(keys, real.each, synthetic.each)
    return jnp.sum(each)

  return matching(
    parameterization,
    network,
    optimizer,
    look=lambda out: View(each=out.features),
    distance=distance,
    models=renewed(
      network, _NO_OPTIMIZER, lambda model: model.age >= network_steps
    ),
    augment=augment,
    batch_size=batch_size,
  )


def datadam(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  augment: Augment | None = None,
  batch_size: int = 256,
  power: int = 4,
  attention_weight: float = 100.0,
  embedding_weight: float = 1.0,
) -> Distiller:
  """Attention matching (arXiv 2310.00093).

  Fresh networks; the mean attention map of every block but the last, and the
  mean embedding.

  Args:
    parameterization: of the support set.
    network: drawn anew each step; with two blocks or more.
    optimizer: the paper's is SGD at 1, momentum 0.5.
    augment: siamese.
    batch_size: real images per class.
    power: of the activations in a map; 4 in the paper, 1 in its code.
    attention_weight: of the maps' distance.
    embedding_weight: of the embeddings' distance: 100 times the paper's 0.01.
  """
  check_least(1, power=power)

  def look(out: Outputs) -> View:
    maps = [losses.attention_map(tap, power) for tap in early_maps(out)]
    return View({'attention': maps, 'embedding': out.features})

  def distance(real: View, synthetic: View, context: Context) -> jax.Array:
    del context
    gaps = jax.tree.map(losses.squared_gap, real.mean, synthetic.mean)
    total = attention_weight * sum(gaps['attention'])
    return total + embedding_weight * gaps['embedding']

  base = matching(
    parameterization,
    network,
    optimizer,
    look=look,
    distance=distance,
    augment=augment,
    batch_size=batch_size,
  )

  def init(key: Key, source: Source) -> State:
    if not early_maps(outputs_shape(network, source)):
      raise UserError(
        'network: has no map before its last; datadam needs a convolutional '
        'network with two blocks or more'
      )
    return base.init(key, source)

  return base._replace(init=init)


def outputs_shape(network: Network, source: Source) -> Outputs:
  """Shapes of what the network gives for one image."""
  image = jax.ShapeDtypeStruct((1, *source.image_shape), jnp.float32)

  def run(key: Key, image: jax.Array) -> Outputs:
    return network.apply(network.init(key), image)[0]

  return jax.eval_shape(run, jax.random.key(0), image)


def early_maps(out: Outputs) -> list[jax.Array]:
  """The blocks' spatial activations before the last block's.

  The last tap is the last block's after pooling: it and the one before are one
  block.
  """
  return [tap for tap in out.taps[:-2] if len(tap.shape) == 4]


def idm(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  augment: Augment | None = None,
  batch_size: int = 256,
  class_weight: float = 0.5,
  queue_size: int = 100,
  queue_start: int = 3,
  queue_interval: int = 30,
  trained: int = 2,
  train_steps: int = 10,
  train_batch_size: int = 256,
  inner_optimizer: optax.GradientTransformation | None = None,
) -> Distiller:
  """Improved distribution matching (arXiv 2307.09742).

  Networks come from a queue whose members train on real data. The loss adds
  the cross-entropy of the synthetic images, weighted by that network's own
  training accuracy in percent: the better it knows the classes, the more its
  word counts.

  Args:
    parameterization: of the support set; the paper's is 2x2 tiles.
    network: the learner.
    optimizer: the paper's is SGD at 0.2, momentum 0.5, class by class.
    augment: siamese.
    batch_size: real images per class.
    class_weight: of the cross-entropy, for each percent of accuracy.
    queue_size: members at most.
    queue_start: members at the start.
    queue_interval: outer steps between two new members.
    trained: members trained after an outer step, whether or not one of them was
      matched on.
    train_steps: steps that each then takes, on this step's real images.
    train_batch_size: images in one of them.
    inner_optimizer: trains members; the paper's is SGD at 0.01, momentum 0.9,
      weight decay 5e-4.
  """
  inner = inner_optimizer or _member_sgd()
  check_least(0, train_steps=train_steps)
  check_least(1, train_batch_size=train_batch_size)

  def distance(real: View, synthetic: View, context: Context) -> jax.Array:
    logits = synthetic.each
    one_hot = jnp.broadcast_to(jnp.eye(len(logits))[:, None], logits.shape)
    entropy = jnp.sum(losses.soft_cross_entropy(logits, one_hot).mean(1))
    percent = 100 * first_model(context.model).aux
    gap = losses.squared_gap(real.mean, synthetic.mean)
    return gap + class_weight * percent * entropy

  def advance(learned: Learned, batch: LabeledData, context: Context) -> Model:
    del learned
    flat = jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), batch)
    models = context.model
    assert models is not None

    def one(key: Key, model: Model) -> Model:
      batches, _ = epochs(key, flat, train_batch_size)
      return train_member(network, inner, model, batches, train_steps)

    keys = jax.random.split(context.key, trained)
    rest = jax.tree.map(lambda a: a[1:], models)
    others = jax.lax.map(lambda pair: one(*pair), (keys, rest))
    return jax.tree.map(lambda a, b: a.at[1:].set(b), models, others)

  return matching(
    parameterization,
    network,
    optimizer,
    look=lambda out: View(out.features, out.logits),
    distance=distance,
    models=queue(
      network,
      inner,
      size=queue_size,
      start=queue_start,
      interval=queue_interval,
      trained=trained,
      aux=jnp.zeros(()),
    ),
    advance=advance,
    augment=augment,
    batch_size=batch_size,
  )


def _member_sgd() -> optax.GradientTransformation:
  return optax.chain(
    optax.add_decayed_weights(5e-4), optax.sgd(0.01, momentum=0.9)
  )


def train_member(
  network: Network,
  optimizer: optax.GradientTransformation,
  model: Model,
  batches: Callable[[jax.Array], Batch],
  steps: int,
) -> Model:
  """Trains a queue's member; its `aux` becomes its training accuracy.

  That is counted, once it is trained, on the batch that would come next.
  """
  step = functools.partial(
    train_step, network, optimizer, losses.soft_cross_entropy
  )
  model = train(step, model, batches, steps)
  data = batches(jnp.asarray(steps)).data
  logits = network.apply(model.variables, data.image)[0].logits
  return model._replace(aux=losses.accuracy(logits, data.label))


RECIPE = {
  'parameterization': {'labels': 'fixed'},
  'augment': DSA,
  'optimizer': {'name': 'sgd', 'learning_rate': 1.0, 'momentum': 0.5},
  'num_steps': 20_000,
  'validate_every': 2000,
  'evaluation': {'protocol': 'dc', 'features': 'network'},
}
"""DM's published settings (arXiv 2110.04181)."""

DATADAM_RECIPE = {**RECIPE, 'num_steps': 8000}
"""As published (arXiv 2310.00093)."""

M3D_RECIPE = {**RECIPE, 'augment': 'color_crop_cutout'}
"""As published (arXiv 2312.15927), where it says so."""

IDM_RECIPE = {
  **RECIPE,
  'optimizer': {'name': 'sgd', 'learning_rate': 0.4},
  'inner_optimizer': {
    'name': 'sgd',
    'learning_rate': 0.01,
    'momentum': 0.9,
    'weight_decay': 5e-4,
  },
}
"""As published (arXiv 2307.09742); see the module on the learning rate."""
