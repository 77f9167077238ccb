"""The gradients that support and real images of a class give a network.

Both are under one draw of the augmentation. That of the support images is
differentiable in them, that of the real images a constant.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from dd_jax.augment import identity
from dd_jax.checks import check_name
from dd_jax.losses import DISTANCES, soft_cross_entropy
from dd_jax.networks import Network
from dd_jax.platform import Platform
from dd_jax.training import sum_chunks
from dd_jax.types import Augment, Key, LabeledData, PyTree, UserError

Weights = list[jax.Array]
"""The parameters that are matched, or their gradient."""

STATISTICS = 16
"""Real images of each class that batch norm sees."""

_MATCHED: dict[str, Callable[[jax.Array], bool]] = {
  'weights': lambda leaf: leaf.ndim >= 2,
  'convolutions': lambda leaf: leaf.ndim == 4,
  'all': lambda leaf: True,
}


class ClassGradients(NamedTuple):
  """Gradients of one network, and how they are compared.

  Attributes:
    objective: `(weights, data) -> mean loss`, a scalar.
    weights: where its gradient is taken.
    augment: the same draw for real and support images.
    distance: of two gradients.
    platform: what they are taken on.
  """

  objective: Callable[[Weights, LabeledData], jax.Array]
  weights: Weights
  augment: Augment
  distance: Callable[[PyTree, PyTree], jax.Array]
  platform: Platform

  def of_support(self, key: Key, support: LabeledData) -> Weights:
    """Of one class's support images; differentiable in them."""
    shown = support._replace(image=self.augment(key, support.image))
    return jax.grad(self.objective)(self.weights, shown)

  def of_real(self, key: Key, real: LabeledData) -> Weights:
    """Of one class's real images, chunk by chunk; a constant."""
    shown = real._replace(image=self.augment(key, real.image))
    total_loss = lambda w, data: self.objective(w, data) * data.label.shape[0]
    of_chunk = functools.partial(jax.grad(total_loss), self.weights)
    total = sum_chunks(of_chunk, shown, self.platform.gradient_examples)
    count = real.label.shape[0]
    return jax.lax.stop_gradient([t / count for t in total])


class Matcher(NamedTuple):
  """Which gradients of a network are compared, and how.

  Attributes:
    network: the learner.
    distance: of two gradients.
    matched: which parameters count, a name in `_MATCHED`.
    augment: the same draw for real and support images.
  """

  network: Network
  distance: Callable[[PyTree, PyTree], jax.Array]
  matched: str
  augment: Augment

  def at(self, variables: PyTree) -> ClassGradients:
    """The gradients of the mean cross-entropy at these variables.

    Raises:
      UserError: the network has no such parameters.
    """
    leaves, tree = jax.tree.flatten(variables['params'])
    counts = _MATCHED[self.matched]
    chosen = [i for i, leaf in enumerate(leaves) if counts(leaf)]
    if not chosen:
      raise UserError(
        f'matched={self.matched!r}: this network has none; allowed are '
        "'weights', 'all'"
      )

    def objective(weights: Weights, data: LabeledData) -> jax.Array:
      merged = list(leaves)
      for i, weight in zip(chosen, weights, strict=True):
        merged[i] = weight
      params = jax.tree.unflatten(tree, merged)
      out, _ = self.network.apply({**variables, 'params': params}, data.image)
      return jnp.mean(soft_cross_entropy(out.logits, data.label))

    weights = [leaves[i] for i in chosen]
    return ClassGradients(
      objective,
      weights,
      self.augment,
      self.distance,
      self.network.runs_on,
    )


def named_matcher(
  network: Network, distance: str, matched: str, augment: Augment | None
) -> Matcher:
  """A `Matcher` from the names of its choices.

  Args:
    network: the learner.
    distance: a name in `losses.DISTANCES`.
    matched: 'weights' (no biases or norms), 'convolutions' or 'all'.
    augment: None for none.

  Raises:
    UserError: an unknown name.
  """
  check_name('distance', distance, DISTANCES)
  check_name('matched', matched, _MATCHED)
  return Matcher(network, DISTANCES[distance], matched, augment or identity)


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

  Args:
    network: the learner.
    variables: its own.
    image: `[n, h, w, c]`.
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
