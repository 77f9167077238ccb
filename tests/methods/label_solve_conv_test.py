"""Label solve with the exact ConvNet NTK against published figures (slow)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax import load_dataset
from dd_jax.data.prepare import prepare
from dd_jax.data.sampling import class_balanced
from dd_jax.data.source import Source
from dd_jax.data.subset import head
from dd_jax.evaluation.regression import kernel_test
from dd_jax.kernels import Ridge, conv_kernel, solve
from dd_jax.types import LabeledData

# Of ten real images, on the whole training set (arXiv 2107.13034).
PUBLISHED = {'mnist': ('standardise', 73.4), 'cifar10': ('kip', 26.1)}
DRAWS, SOLVED_ON, TESTED_ON = 5, 3000, 1000


def solved(key: jax.Array, source: Source, kernel, ridge: Ridge) -> LabeledData:
  """Ten real images and the labels that suit 3,000 others best."""
  k_support, k_real = jax.random.split(key)
  image = class_balanced(k_support, source, 10).image
  real = class_balanced(k_real, source, SOLVED_ON)
  k_ss, k_ts = kernel(image, None), kernel(real.image, image)
  gram = jnp.matmul(k_ts.T, k_ts, precision='highest')
  target = real.label - 0.1
  moment = jnp.matmul(k_ts.T, target, precision='highest')
  weights = solve(gram, moment, Ridge(1e-7)).weights
  label = k_ss @ weights + ridge.penalty(k_ss) * weights
  return LabeledData(image, label)


@pytest.mark.slow
@pytest.mark.parametrize('name', PUBLISHED)
def test_label_solve_reaches_the_published_accuracy(name, real_npz):
  preprocessing, published = PUBLISHED[name]
  data = prepare(load_dataset(real_npz(name)), preprocessing)
  ridge, kernel = Ridge(1e-6), conv_kernel()
  test = kernel_test(kernel, ridge)
  make = jax.jit(lambda k, s: solved(k, s, kernel, ridge))
  scores = [
    100 * float(test(make(key, data.train), head(data.test, TESTED_ON)))
    for key in jax.random.split(jax.random.key(0), DRAWS)
  ]
  deviation = max(np.std(scores, ddof=1), 1.0)
  assert abs(np.mean(scores) - published) < 2 * deviation, scores
