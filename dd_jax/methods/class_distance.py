"""The distance of real and support gradients: class by class, or of their mean.

DC adds the distances of single classes; DCC compares gradients that are
averaged over classes (Lee et al., arXiv 2202.02916).
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from dd_jax.derivatives import held
from dd_jax.methods.class_gradients import ClassGradients
from dd_jax.platform import Platform
from dd_jax.training import each_class
from dd_jax.types import Key, LabeledData, PyTree

LEVELS = ('class', 'sum', 'both')
"""Every class's own distance, that of the mean gradients, or both added."""


def distance(
  gradients: ClassGradients,
  level: str,
  keys: Key,
  support: LabeledData,
  real: LabeledData,
) -> jax.Array:
  """How far support images are from real ones by their gradients: a scalar.

  Args:
    gradients: of the network in use.
    level: one of `LEVELS`.
    keys: of the augmentation, one for each class: `[k]`.
    support: class by class, `[k, m, ...]`.
    real: likewise, `[k, b, ...]`.
  """
  if level == 'class':
    return _class_wise(
      gradients.platform,
      lambda k, s, r: gradients.distance(
        gradients.of_support(k, s), gradients.of_real(k, r)
      ),
      keys,
      support,
      real,
    )
  of_classes = functools.partial(each_class, gradients.platform)
  targets = of_classes(gradients.of_real, keys, real)
  owns = of_classes(jax.checkpoint(gradients.of_support), keys, support)
  mean = functools.partial(jax.tree.map, lambda a: jnp.mean(a, 0))
  value = gradients.distance(mean(owns), mean(targets))
  if level == 'both':
    value += _class_wise(
      gradients.platform,
      lambda k, s, t: gradients.distance(gradients.of_support(k, s), t),
      keys,
      support,
      targets,
    )
  return value


def _class_wise(
  platform: Platform,
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
  fixed = held(support)
  values, slopes = each_class(platform, compute, keys, fixed, other)
  move = jax.tree.map(
    lambda slope, now, at: jnp.vdot(slope, now - at), slopes, support, fixed
  )
  value = jnp.sum(values)
  return value + jnp.asarray(sum(jax.tree.leaves(move)), value.dtype)
