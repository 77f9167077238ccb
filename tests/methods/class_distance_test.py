"""Levels of the distance between gradients."""

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax import augment
from dd_jax.methods.class_distance import distance
from dd_jax.methods.class_gradients import named_matcher
from dd_jax.types import LabeledData

CLASSES, IPC, SHAPE, REAL = 3, 2, (4, 4, 1), 5
KEY = jax.random.key(0)


def test_one_class_alone_is_compared_alike_at_both_levels(x64, gradients):
  """DCC equals DC for one class."""
  learner, rng = gradients.network(), np.random.default_rng(0)
  matcher = named_matcher(learner, 'layerwise', 'weights', augment.dsa())

  def data(count):
    label = jax.nn.one_hot(rng.integers(CLASSES, size=count), CLASSES)
    image = jnp.asarray(rng.normal(size=(1, count, *SHAPE)))
    return LabeledData(image, label[None].astype(jnp.float64))

  support, real = data(IPC), data(REAL)
  keys = jax.random.split(KEY, 1)
  found = matcher.at(learner.init(KEY))
  value = lambda level: jax.jit(
    jax.value_and_grad(lambda s: distance(found, level, keys, s, real))
  )(support)
  one, mean = value('class'), value('sum')
  assert one[0] > 0.1
  for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(mean), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
