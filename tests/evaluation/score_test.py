"""What a score is: percent, of learners, with the deviation of a sample."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.evaluation.protocols import Protocol
from dd_jax.evaluation.score import evaluate, summary


def test_deviation_is_of_the_sample():
  score = summary('dc', (90.0, 92.0, 97.0))
  assert score.mean == 93.0
  assert score.std == pytest.approx(np.std([90, 92, 97], ddof=1), abs=1e-4)
  assert summary('dc', (90.0,)).std is None
  assert summary('dc', (90.0, 90.0)).std == 0


def test_exact_protocols_are_asked_once():
  asked = []

  def score(keys, data, test):
    asked.append(len(keys))
    return jnp.full(len(keys), 0.5)

  key = jax.random.key(0)
  evaluate(Protocol('a', score, exact=True), key, None, None, num_learners=5)
  evaluate(Protocol('b', score), key, None, None, num_learners=5)
  assert asked == [1, 5]
