"""The statistics that a network's gradients are taken under."""

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.methods.class_gradients import with_statistics

SHAPE = (4, 4, 1)
KEY = jax.random.key(0)


def test_batch_norm_matches_under_the_statistics_of_real_images(x64, gradients):
  learner = gradients.network('convnet', depth=1, norm='batch')
  image = jnp.asarray(np.random.default_rng(0).normal(2, 3, (9, *SHAPE)))
  variables = learner.init(KEY)
  seen = with_statistics(learner, variables, image)
  shown = learner.apply(seen, image)[0].logits
  expected = learner.apply(variables, image, train=True)[0].logits
  np.testing.assert_allclose(shown, expected, atol=1e-9)
  plain = gradients.network().init(KEY)
  assert with_statistics(gradients.network(), plain, image) is plain
