"""Progress told from within a compiled loop changes nothing of the loop."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.evaluation.learners import Recipe, trained
from dd_jax.evaluation.ticks import Gauge, told
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import NETWORKS
from dd_jax.types import LabeledData


@pytest.mark.parametrize('total', [1, 7, 50, 120])
def test_shares_rise_to_one(total):
  gauge, shares = Gauge(), []
  gauge.begin(2, shares.append)

  advance = told(lambda x, first, last: x + last - first, gauge, total)
  run = jax.jit(lambda: advance(0, 0, total))
  assert [int(run()) for _ in range(2)] == [total, total]
  jax.effects_barrier()
  assert shares == sorted(shares) and len(shares) <= 2 * 20
  assert shares[-1] == pytest.approx(1)


def test_a_gauge_is_silent_but_between_begin_and_end():
  gauge, shares = Gauge(), []
  gauge(1, 2)
  gauge.begin(1, shares.append)
  gauge(1, 2)
  gauge.end()
  gauge(1, 2)
  assert shares == [0.5]


def test_a_learner_that_is_told_of_is_the_same():
  network = NETWORKS['mlp']((3, 3, 1), 2, width=4)
  rng = np.random.default_rng(0)
  image = jnp.asarray(rng.normal(size=(4, 3, 3, 1)), jnp.float32)
  data = LabeledData(image, jnp.eye(2)[jnp.arange(4) % 2])
  silent = Recipe(network, optax.sgd(0.1), soft_cross_entropy, 6, 2)
  steps = []
  loud = silent._replace(report=lambda done, total: steps.append(int(done)))
  key = jax.random.key(0)
  own, other = (
    jax.jit(lambda key, r=r: trained(r, key, data))(key) for r in (silent, loud)
  )
  jax.effects_barrier()
  jax.tree.map(np.testing.assert_array_equal, own, other)
  assert sum(steps) == 6
