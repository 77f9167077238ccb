r"""Gradient matching: DC, DSA, DCC and IDC.

Images are moved so that the gradient which they give a network's weights is
the one that real images of their class give,

.. math:: \sum_c D(\nabla_\theta \ell(\theta; A_{\omega_c}(S_c)),
  \nabla_\theta \ell(\theta; A_{\omega_c}(T_c))),

with one augmentation :math:`\omega_c` for both, drawn anew for every class and
step. DC (Zhao et al., arXiv 2006.05929), DSA (arXiv 2102.08259) and DCC (Lee et
al., arXiv 2202.02916) take one step for the sum over classes and train the
network on the distilled set in between; IDC (Kim et al., arXiv 2205.14959)
takes one step per class and trains it on real images.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dd_jax import augment as transforms
from dd_jax.checks import check_least, check_name
from dd_jax.data import sampling
from dd_jax.data.source import Source
from dd_jax.distiller import Context, Distiller, Learned, from_loss
from dd_jax.losses import DISTANCES, soft_cross_entropy
from dd_jax.models import successive
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.training import Batch, Model, epochs, sum_chunks, train, train_step
from dd_jax.types import (
  Augment,
  Key,
  LabeledData,
  Metrics,
  PyTree,
  UserError,
)

T = TypeVar('T')
Weights = list[jax.Array]

# By images per class: (matching steps with one network, epochs of training
# between two of them).
_FROM_TEN = {
  10: (10, 50),
  20: (20, 25),
  30: (30, 20),
  40: (40, 15),
  50: (50, 10),
}
_LOOPS = {'dc': {1: (1, 1), **_FROM_TEN}, 'dcc': {1: (10, 5), **_FROM_TEN}}
_LEVELS = ('class', 'sum', 'both')
_MATCHED: dict[str, Callable[[jax.Array], bool]] = {
  'weights': lambda leaf: leaf.ndim >= 2,
  'convolutions': lambda leaf: leaf.ndim == 4,
  'all': lambda leaf: True,
}
_TOGETHER = 32  # classes whose gradients an accelerator takes at once
_STATISTICS = 16  # real images of each class that batch norm sees


class Matcher(NamedTuple):
  """How the gradients of one network are compared.

  Attributes:
    network: the learner.
    distance: of two gradients.
    matched: which parameters count, a name in `_MATCHED`.
    augment: the same draw for real and synthetic images.
  """

  network: Network
  distance: Callable[[PyTree, PyTree], jax.Array]
  matched: str
  augment: Augment


def loops(ipc: int, table: str = 'dc') -> tuple[int, int]:
  """Matching steps with one network, and epochs of training between two.

  The published table for 1, 10, 20, 30, 40 and 50 images per class; linear in
  between; the last row beyond, as the authors advise.

  Args:
    ipc: images per class.
    table: 'dc' or 'dcc', which differ at 1 image per class.

  Raises:
    UserError: for another table.
  """
  check_name('table', table, _LOOPS)
  sizes = list(_LOOPS[table])
  columns = np.array(list(_LOOPS[table].values())).T
  outer, inner = (int(np.rint(np.interp(ipc, sizes, c))) for c in columns)
  return outer, inner


def gradient_matching(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  ipc: int,
  *,
  inner_optimizer: optax.GradientTransformation | None = None,
  batch_size: int = 256,
  distance: str = 'layerwise',
  matched: str = 'weights',
  level: str = 'class',
  warm_up: int = 0,
  inner_warm_up: int = 0,
  augment: Augment | None = None,
  inner_augment: Augment | None = None,
  outer_steps: int | None = None,
  inner_epochs: int | None = None,
  table: str = 'dc',
  inner_batch_size: int = 256,
) -> Distiller:
  """DC, DSA and DCC: one outer step for all classes.

  Args:
    parameterization: of the support set.
    network: the learner whose gradients are matched.
    optimizer: DC's is SGD at 0.1 with momentum 0.5.
    ipc: images per class; chooses the loops.
    inner_optimizer: trains the network on the support set; DC's, and the
      default, is SGD at 0.01.
    batch_size: real images of each class in a step, with replacement.
    distance: of gradients, a name in `losses.DISTANCES`.
    matched: 'weights' (no biases or norms), 'convolutions' or 'all'.
    level: 'class' (DC), 'sum' (DCC: gradients averaged over classes are
      compared) or 'both' distances added.
    warm_up: networks during which the level is 'class' all the same, ...
    inner_warm_up: ... up to this age of each.
    augment: siamese: the same draw for real and support images, another for
      every class and step (DSA); None for DC.
    inner_augment: of the support images that the network is trained on.
    outer_steps: matching steps with one network; by default see `loops`.
    inner_epochs: of training between two of them; by default see `loops`.
    table: of those defaults, 'dc' or 'dcc'.
    inner_batch_size: support images in one training step, at most.

  Raises:
    UserError: a setting is unknown or out of range.
  """
  check_name('level', level, _LEVELS)
  rows = loops(ipc, table)
  outer, inner = outer_steps or rows[0], inner_epochs or rows[1]
  check_least(1, batch_size=batch_size, outer_steps=outer, inner_epochs=inner)
  matcher = _matcher(network, distance, matched, augment)
  inner_optimizer = inner_optimizer or optax.sgd(0.01)
  one_step = _cross_entropy_step(network, inner_optimizer)

  def loss(
    learned: Learned, batch: LabeledData, context: Context
  ) -> tuple[jax.Array, Metrics]:
    model, support = context.model, by_class(learned.data)
    assert model is not None
    shown = batch.image[:_STATISTICS].reshape(-1, *batch.image.shape[2:])
    variables = with_statistics(network, model.variables, shown)
    keys = jax.random.split(context.key, support.label.shape[0])
    real = jax.tree.map(lambda a: a.swapaxes(0, 1), batch)
    terms = functools.partial(_terms, matcher, variables, keys, support, real)
    if level == 'class' or not warm_up:
      value = terms(level)
    else:
      late = (context.step // outer >= warm_up) | (model.age >= inner_warm_up)
      value = jax.lax.cond(late, lambda: terms(level), lambda: terms('class'))
    return value, {'model_age': model.age}

  def advance(learned: Learned, batch: LabeledData, context: Context) -> Model:
    del batch
    model = context.model
    assert model is not None
    batches, per_epoch = epochs(
      context.key, learned.data, inner_batch_size, inner_augment
    )
    trained = train(one_step, model, batches, inner * per_epoch)
    return trained._replace(age=model.age + 1)

  def sample(key: Key, step: jax.Array, source: Source) -> LabeledData:
    del step
    return sampling.per_class(key, source, batch_size)

  return from_loss(
    parameterization,
    optimizer,
    loss,
    sample=sample,
    models=successive(network, inner_optimizer, lifetime=outer),
    advance=advance,
  )


dc = gradient_matching
dsa = functools.partial(
  gradient_matching,
  augment=transforms.dsa(),
  inner_augment=transforms.dsa(siamese=False),
)
dcc = functools.partial(
  gradient_matching, level='sum', table='dcc', warm_up=250, inner_warm_up=10
)


class RealBatch(NamedTuple):
  """What a step of `idc` looks at.

  Attributes:
    match: real images of the class in turn, `[b, ...]`.
    train: of all classes, for the network, `[n, ...]`.
  """

  match: LabeledData
  train: LabeledData


def idc(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  num_classes: int,
  *,
  inner_optimizer: optax.GradientTransformation | None = None,
  batch_size: int = 64,
  distance: str = 'mse',
  matched: str = 'convolutions',
  strategy: str = transforms.IDC,
  align_corners: bool = False,
  inner_steps: int = 100,
  train_size: int = 2000,
  inner_batch_size: int = 64,
  inner_strategy: str = 'color_crop_flip_scale_rotate',
  cutmix: float = 0.5,
) -> Distiller:
  """IDC's gradient matching: an outer step for each class in turn.

  A momentum of the optimiser carries every class on during the others' steps,
  as in the published code. After a step of every class the network in use takes
  a pass over fresh real images, so it is matched in the early stages of its
  training on real data. (The images for it are drawn in every step; those of
  the last one of a round are used.)

  Args:
    parameterization: of the support set; the paper's is `multi_formation`.
    network: the learner whose gradients are matched.
    optimizer: the paper's is SGD with momentum 0.5.
    num_classes: classes; one outer step each makes a round.
    inner_optimizer: trains the network; the paper's, and the default, is SGD
      at 0.01 with momentum 0.9 and weight decay 5e-4.
    batch_size: real images of the class in a step, with replacement.
    distance: of gradients, a name in `losses.DISTANCES`.
    matched: as in `gradient_matching`.
    strategy: siamese augmentation, see `augment.idc`.
    align_corners: see `augment.rotation`.
    inner_steps: rounds with one network.
    train_size: real images that it trains on after each round.
    inner_batch_size: of these in one training step, at most.
    inner_strategy: augmentation of those, parameters drawn per image.
    cutmix: probability of CutMix in a training step.

  Raises:
    UserError: a setting is unknown or out of range.
  """
  check_least(
    1, batch_size=batch_size, inner_steps=inner_steps, train_size=train_size
  )
  if not 0 <= cutmix <= 1:
    raise UserError(f'cutmix={cutmix}: allowed are 0 to 1')
  draw = functools.partial(transforms.idc, align_corners=align_corners)
  matcher = _matcher(network, distance, matched, draw(strategy))
  inner_draw = draw(inner_strategy, siamese=False)
  inner_optimizer = inner_optimizer or optax.chain(
    optax.add_decayed_weights(5e-4), optax.sgd(0.01, 0.9)
  )
  one_step = _cross_entropy_step(network, inner_optimizer)

  def sample(key: Key, step: jax.Array, source: Source) -> RealBatch:
    if source.num_classes != num_classes:
      raise UserError(
        f'num_classes={num_classes}: the real data have {source.num_classes}'
      )
    k_match, k_train = jax.random.split(key)
    turn = step % num_classes
    return RealBatch(
      sampling.of_class(k_match, source, turn, batch_size),
      sampling.uniform(k_train, source, train_size),
    )

  def loss(
    learned: Learned, batch: RealBatch, context: Context
  ) -> tuple[jax.Array, Metrics]:
    model, turn = context.model, context.step % num_classes
    assert model is not None
    shown = batch.train.image[: _STATISTICS * num_classes]
    variables = with_statistics(network, model.variables, shown)
    weights, objective = _objective(matcher, variables)
    support = jax.tree.map(lambda a: a[turn], by_class(learned.data))
    own = _own_gradient(matcher, objective, weights, context.key, support)
    real = _real_gradient(matcher, objective, weights, context.key, batch.match)
    return matcher.distance(own, real), {'model_age': model.age}

  def advance(learned: Learned, batch: RealBatch, context: Context) -> Model:
    del learned
    model = context.model
    assert model is not None
    round_ends = (context.step + 1) % num_classes == 0
    moved = jax.lax.cond(
      round_ends, lambda: trained(context.key, model, batch), lambda: model
    )
    return moved._replace(age=model.age + 1)

  def trained(key: Key, model: Model, batch: RealBatch) -> Model:
    k_mix, k_epoch = jax.random.split(key)
    batches, per_epoch = epochs(
      k_epoch, batch.train, inner_batch_size, inner_draw
    )

    def mixed(i: jax.Array) -> Batch:
      plain = batches(i)
      key = jax.random.fold_in(k_mix, i)
      return plain._replace(data=transforms.cutmix(key, plain.data, cutmix))

    return train(one_step, model, mixed, per_epoch)

  return from_loss(
    parameterization,
    optimizer,
    loss,
    sample=sample,
    models=successive(
      network, inner_optimizer, lifetime=inner_steps * num_classes
    ),
    advance=advance,
  )


def by_class(data: LabeledData) -> LabeledData:
  """Class-major data as `[classes, per_class, ...]`.

  Raises:
    UserError: classes have no or unequal numbers of images.
  """
  count, classes = data.label.shape
  if count % classes or not count:
    raise UserError(
      f'parameterization: {count} images for {classes} classes; gradient '
      'matching compares class by class and needs as many of each, 1 and more'
    )
  return jax.tree.map(lambda a: a.reshape(classes, -1, *a.shape[1:]), data)


def with_statistics(
  network: Network, variables: PyTree, image: jax.Array
) -> PyTree:
  """Variables whose running statistics, if any, are those of `image`.

  Batch norm's running average is linear in what it starts from, so passes from
  all zeros and all ones give both the weight of the batch and its statistics.
  """
  if 'batch_stats' not in variables:
    return variables

  def after(start: float) -> PyTree:
    filled = jax.tree.map(
      lambda a: jnp.full_like(a, start), variables['batch_stats']
    )
    shown = {**variables, 'batch_stats': filled}
    return network.apply(shown, image, train=True)[1]['batch_stats']

  of_batch = jax.tree.map(
    lambda zero, one: zero / (1 - (one - zero)), after(0.0), after(1.0)
  )
  return {**variables, 'batch_stats': jax.lax.stop_gradient(of_batch)}


def _cross_entropy_step(
  network: Network, optimizer: optax.GradientTransformation
) -> Callable[[Model, Batch], Model]:
  return functools.partial(train_step, network, optimizer, soft_cross_entropy)


def _matcher(
  network: Network, distance: str, matched: str, augment: Augment | None
) -> Matcher:
  check_name('distance', distance, DISTANCES)
  check_name('matched', matched, _MATCHED)
  augment = augment or transforms.identity
  return Matcher(network, DISTANCES[distance], matched, augment)


def _objective(
  matcher: Matcher, variables: PyTree
) -> tuple[Weights, Callable[[Weights, LabeledData], jax.Array]]:
  """The parameters that are matched, and the mean loss as their function."""
  leaves, tree = jax.tree.flatten(variables['params'])
  counts = _MATCHED[matcher.matched]
  chosen = [i for i, leaf in enumerate(leaves) if counts(leaf)]
  if not chosen:
    raise UserError(
      f'matched={matcher.matched!r}: this network has none; allowed are '
      "'weights', 'all'"
    )

  def objective(weights: Weights, data: LabeledData) -> jax.Array:
    merged = list(leaves)
    for i, weight in zip(chosen, weights, strict=True):
      merged[i] = weight
    params = jax.tree.unflatten(tree, merged)
    out, _ = matcher.network.apply({**variables, 'params': params}, data.image)
    return jnp.mean(soft_cross_entropy(out.logits, data.label))

  return [leaves[i] for i in chosen], objective


def _own_gradient(
  matcher: Matcher,
  objective: Callable[[Weights, LabeledData], jax.Array],
  weights: Weights,
  key: Key,
  support: LabeledData,
) -> Weights:
  """Of one class's support images; differentiable in them."""
  shown = support._replace(image=matcher.augment(key, support.image))
  return jax.grad(objective)(weights, shown)


def _real_gradient(
  matcher: Matcher,
  objective: Callable[[Weights, LabeledData], jax.Array],
  weights: Weights,
  key: Key,
  real: LabeledData,
) -> Weights:
  """Of one class's real images, chunk by chunk; a constant."""
  shown = real._replace(image=matcher.augment(key, real.image))
  gradient = jax.grad(lambda w, data: objective(w, data) * data.label.shape[0])
  of_chunk = functools.partial(gradient, weights)
  total = sum_chunks(of_chunk, shown, _chunk())
  count = real.label.shape[0]
  return jax.lax.stop_gradient([t / count for t in total])


def _chunk() -> int:
  """Real images whose activations are held at once.

  Eight are the fastest on a CPU at width 128 (32: a fifth slower); an
  accelerator takes several classes together.
  """
  return 8 if jax.default_backend() == 'cpu' else 64


def _terms(
  matcher: Matcher,
  variables: PyTree,
  keys: Key,
  support: LabeledData,
  real: LabeledData,
  level: str,
) -> jax.Array:
  """The loss at one `level`; leaves of `support`, `real` are `[k, n, ...]`."""
  weights, objective = _objective(matcher, variables)
  own = functools.partial(_own_gradient, matcher, objective, weights)
  target = functools.partial(_real_gradient, matcher, objective, weights)
  if level == 'class':
    compare = lambda k, s, r: matcher.distance(own(k, s), target(k, r))
    return _class_wise(compare, keys, support, real)
  targets = _each_class(target, keys, real)
  mean = functools.partial(jax.tree.map, lambda a: jnp.mean(a, 0))
  owns = _each_class(jax.checkpoint(own), keys, support)
  value = matcher.distance(mean(owns), mean(targets))
  if level == 'both':
    compare = lambda k, s, t: matcher.distance(own(k, s), t)
    value += _class_wise(compare, keys, support, targets)
  return value


def _class_wise(
  compare: Callable[[Key, LabeledData, PyTree], jax.Array],
  keys: Key,
  support: LabeledData,
  other: PyTree,
) -> jax.Array:
  """Sums `compare(key, support, other)` over classes.

  Each class's gradient is taken with its value, so that the activations of one
  class, or one group of classes, are held and not those of all.
  """
  compute = lambda k, s, o: jax.value_and_grad(compare, 1)(k, s, o)
  fixed = jax.lax.stop_gradient(support)
  values, slopes = _each_class(compute, keys, fixed, other)
  move = jax.tree.map(
    lambda slope, now, at: jnp.vdot(slope, now - at), slopes, support, fixed
  )
  return jnp.sum(values) + sum(jax.tree.leaves(move))


def _each_class(function: Callable[..., T], *args: PyTree) -> T:
  """Maps over classes in one program: in groups that an accelerator fills.

  One by one on a CPU, where a batch of networks' gradients is slower.
  """
  together = None if jax.default_backend() == 'cpu' else _TOGETHER
  result: T = jax.lax.map(
    lambda each: function(*each), args, batch_size=together
  )
  return result


_SHARED_RECIPE = {
  'parameterization': {'labels': 'fixed'},
  'optimizer': {'name': 'sgd', 'learning_rate': 0.1, 'momentum': 0.5},
  'inner_optimizer': {'name': 'sgd', 'learning_rate': 0.01},
  'evaluation': {'features': 'network'},
}
"""What the published settings share."""

RECIPE = {
  **_SHARED_RECIPE,
  'parameterization': {'labels': 'fixed', 'start': 'noise'},
  'num_steps': 1000,
  'validate_every': 500,
}
"""The published settings of DC at 1 image per class (arXiv 2006.05929)."""

DSA_RECIPE = {
  **_SHARED_RECIPE,
  'augment': transforms.DSA,
  'num_steps': 1000,
  'validate_every': 500,
}
"""The published settings of DSA at 1 image per class (arXiv 2102.08259)."""

DCC_RECIPE = {**_SHARED_RECIPE, 'num_steps': 10_000, 'validate_every': 1000}
"""The published settings of DCC at 1 image per class (arXiv 2202.02916)."""

IDC_RECIPE = {
  **_SHARED_RECIPE,
  'optimizer': {'name': 'sgd', 'learning_rate': 5e-3, 'momentum': 0.5},
  'inner_optimizer': {
    'name': 'sgd',
    'learning_rate': 0.01,
    'momentum': 0.9,
    'weight_decay': 5e-4,
  },
  'num_steps': 2_000_000,
  'validate_every': 100_000,
}
"""The published settings of IDC on CIFAR-10 at 10 images per class."""
