"""What learners say: classes, and what is not finite is none."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.data.source import HostSource, classes, resident
from dd_jax.evaluation import tester
from dd_jax.evaluation.protocols import Protocol, Setting
from dd_jax.evaluation.protocols.base import centred, on_simplex
from dd_jax.evaluation.score import Score, evaluate, of_draws
from dd_jax.networks import NETWORKS
from dd_jax.platform import CPU
from dd_jax.types import DistilledData

K = 3


def arrays(n):
  rng = np.random.default_rng(n)
  label = rng.integers(0, 2, n).astype(np.int32)  # none of class 2
  return rng.normal(size=(n, 2, 2, 1)).astype(np.float32), label


def source(kind, n):
  image, label = arrays(n)
  if kind == 'host':
    return HostSource(image, label, None, K)
  return resident(image, label, K, None)


def told(n, kind='resident'):
  """Examples whose pixels are their class."""
  _, label = arrays(n)
  image = np.broadcast_to(label[:, None, None, None], (n, 2, 2, 1))
  if kind == 'host':
    return HostSource(image.astype(np.float32), label, None, K)
  return resident(image.astype(np.float32), label, K, None)


def shifted():
  """Learner `i` names the class after the right one by `i`."""
  return tester.Tester(
    lambda keys, data: jnp.arange(len(keys)),
    lambda i, image: jax.nn.one_hot((image[:, 0, 0, 0].astype(int) + i) % K, K),
    CPU,
  )


def predict(image):
  return image.reshape(len(image), -1)[:, :K]


@pytest.mark.parametrize('n', [1, 33])
@pytest.mark.parametrize('kind', ['resident', 'host'])
def test_every_answer_is_told(kind, n):
  image, label = arrays(n)
  found = tester.source_predictions(predict, source(kind, n))
  np.testing.assert_array_equal(found, image.reshape(n, 4)[:, :K].argmax(1))
  np.testing.assert_array_equal(classes(source(kind, n)), label)


def test_what_is_not_finite_is_undecided_and_wrong():
  """All of class 0, whom an argmax over NaN would name."""
  image = np.ones((4, 2, 2, 1), np.float32)
  real = resident(image, np.zeros(4, np.int32), K, None)
  answers = jnp.array([[9, 0, 0], [jnp.nan] * 3, [9, 0, jnp.inf], [9, 0, 0]])
  found = tester.source_predictions(
    lambda x: jnp.resize(answers, (32, 3)), real
  )
  assert found.tolist() == [0, -1, -1, 0]
  assert float(tester.accuracies(found, real)) == 0.5


@pytest.mark.parametrize('wrap', [on_simplex, centred])
def test_a_wrapped_tester_still_says_its_classes(wrap):
  real = source('resident', 9)
  made = wrap(Setting((2, 2, 1), K), shifted())
  data = DistilledData(jnp.ones((3, 2, 2, 1)), jnp.eye(3))
  assert isinstance(made, tester.Tester)
  label = np.asarray(classes(real))
  found = made.predict(jax.random.split(jax.random.key(0), 2), data, told(9))
  np.testing.assert_array_equal(found, [label, (label + 1) % K])


@pytest.mark.parametrize('kind', ['resident', 'host'])
def test_the_same_learners_are_asked_again(kind):
  """One fit, two looks; those that are asked do not depend on each other."""
  made, real = shifted(), told(9, kind)
  learners = made.fit(jax.random.split(jax.random.key(0), 3), None)
  first = made.ask(tester.source_predictions, learners, real)
  second = made.ask(lambda answer, test: answer(test.image), learners, real)
  np.testing.assert_array_equal(second.argmax(-1), first)
  assert second.shape == (3, 9, K)


def test_parameters_are_counted():
  network = NETWORKS['mlp']((2, 2, 1), K, width=5, depth=1)
  made = dataclasses.replace(shifted(), network=network)
  assert tester.parameters(made) == 4 * 5 + 5 + 5 * K + K
  assert tester.parameters(shifted()) is None


def test_a_score_of_predictions_tells_more_than_its_accuracy():
  real = source('resident', 9)
  label = np.asarray(classes(real))
  mine = Protocol('mine', shifted())
  found = evaluate(mine, jax.random.key(0), None, told(9), num_learners=2)
  assert found.values == (100.0, 0.0) and set(label) == {0, 1}
  assert found.runs == '2 learners' and found.undecided == 0
  assert found.balanced == 50.0
  assert np.sum(found.counts) == 18


def test_draws_are_told_as_draws():
  one = Score('dc', 50.0, None, (50.0,), '1 learner', 40.0, 2)
  found = of_draws([one, one._replace(mean=60.0, balanced=60.0)])
  assert found.values == (50.0, 60.0) and found.balanced == 50.0
  assert found.runs == '2 draws, a learner each' and found.undecided == 4
