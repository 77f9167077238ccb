"""Progress told from within a compiled loop changes nothing of the loop."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.evaluation.learners import Recipe, trained
from dd_jax.evaluation.ticks import Gauge, tick
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import NETWORKS
from dd_jax.types import LabeledData


@pytest.mark.parametrize('total', [1, 7, 50, 120])
def test_shares_rise_to_one(total):
  gauge, shares = Gauge(), []
  gauge.begin(2, shares.append)

  @jax.jit
  def run(total):
    def body(i, x):
      tick(gauge, i, total)
      return x + 1

    return jax.lax.fori_loop(0, total, body, 0)

  for _ in range(2):
    jax.block_until_ready(run(total))
  jax.effects_barrier()
  assert shares == sorted(shares)
  assert shares[-1] > 1 - 2 / min(total, 50)
  assert len(shares) == 2 * (total // max(1, total // 50))


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
  told = []
  loud = silent._replace(report=lambda steps, total: told.append(int(steps)))
  key = jax.random.key(0)
  own, other = (
    jax.jit(lambda key, r=r: trained(r, key, data))(key) for r in (silent, loud)
  )
  jax.effects_barrier()
  jax.tree.map(np.testing.assert_array_equal, own, other)
  assert sum(told) == 6
