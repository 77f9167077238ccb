"""Learners that follow a learned sequence of steps, as `methods.dd` makes."""

import jax
import jax.numpy as jnp

from dd_jax.data.source import Source
from dd_jax.evaluation.learners import test_each
from dd_jax.evaluation.tester import Tester, source_predictions
from dd_jax.methods.dd import initial_variables, train_in_order
from dd_jax.networks import Network
from dd_jax.types import DistilledData, Key, LabeledData

_PLAIN_EPOCHS, _PLAIN_STEP_SIZE = 30, 0.02  # for sets that have learned none


def ordered_test(network: Network, mesh: jax.sharding.Mesh | None) -> Tester:
  """A test of learners that take the set's own steps, from its own start.

  Returns:
    As `learners.learner_test`. A set without step sizes is trained on for 30
    steps of 0.02.
  """

  def one(key: Key, data: DistilledData, test: Source) -> jax.Array:
    sizes = data.step_size
    if sizes is None or sizes.ndim != 2:
      sizes = jnp.full((_PLAIN_EPOCHS, 1), _PLAIN_STEP_SIZE)
    variables = initial_variables(network, key, data.init_seed)
    support = LabeledData(data.image, data.label)
    model = train_in_order(network, variables, support, sizes)
    return source_predictions(
      lambda image: network.apply(model.variables, image)[0].logits, test
    )

  return test_each(one, network.runs_on, mesh)
