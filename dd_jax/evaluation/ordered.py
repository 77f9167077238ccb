"""Learners that follow a learned sequence of steps, as `methods.dd` makes."""

import jax
import jax.numpy as jnp

from dd_jax.evaluation.learners import logits_of, test_each
from dd_jax.evaluation.tester import Tester
from dd_jax.methods.dd import initial_variables, train_in_order
from dd_jax.networks import Network
from dd_jax.types import DistilledData, Key, LabeledData, PyTree

_PLAIN_EPOCHS, _PLAIN_STEP_SIZE = 30, 0.02  # for sets that have learned none


def ordered_test(network: Network, mesh: jax.sharding.Mesh | None) -> Tester:
  """A test of learners that take the set's own steps, from its own start.

  Returns:
    As `learners.learner_test`. A set without step sizes is trained on for 30
    steps of 0.02.
  """

  def fit(key: Key, data: DistilledData) -> PyTree:
    sizes = data.step_size
    if sizes is None or sizes.ndim != 2:
      sizes = jnp.full((_PLAIN_EPOCHS, 1), _PLAIN_STEP_SIZE)
    variables = initial_variables(network, key, data.init_seed)
    support = LabeledData(data.image, data.label)
    return train_in_order(network, variables, support, sizes).variables

  return test_each(fit, logits_of(network), network, mesh)
