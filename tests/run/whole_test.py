"""A learner of the whole training set: when, how long, and what it scores."""

import numpy as np
import pytest

from dd_jax.cache import Cache
from dd_jax.data.prepare import prepare
from dd_jax.data.source import HostSource
from dd_jax.evaluation.protocols import Protocol
from dd_jax.kernels import dense_kernel
from dd_jax.run import limits, recipe, references, seeds, whole
from dd_jax.run.record import score
from dd_jax.run.scoring import Scorer
from dd_jax.types import DistilledData, UserError

EXACT = Protocol('krr-ntk', None, exact=True)
OPAQUE = Protocol('mine', None)
ALONE = {'others': (), 'baselines': (), 'learners': 2}


class Split:
  """A training split of a size, of images of 8 x 8."""

  image_shape = (8, 8, 1)

  def __init__(self, size):
    self.size = size

  def __len__(self):
    return self.size


def trained(epochs, batch=10):
  """A protocol of so many epochs of batches."""
  steps = lambda data: epochs * -(-len(data.image) // batch)
  return Protocol('sgd', None, steps=steps, batch=batch)


def planned(protocol, size, choice='auto', kernel='dense', images=20):
  asked = whole.Asked(choice, kernel, learners=3, images=images)
  return whole.plan(asked, protocol, Split(size))


def test_an_exact_kernel_takes_as_many_as_it_can():
  assert planned(EXACT, 5000) == whole.Plan()
  assert '5,001 examples; exact kernels take 5,000' in (
    planned(EXACT, 5001).reason
  )
  assert planned(EXACT, 5001, 'yes') == whole.Plan()
  assert 'kernel conv takes long' in planned(EXACT, 100, kernel='conv').reason


def test_a_learner_sees_no_more_images_than_those_of_the_set_together():
  # 3 learners x 40 epochs x 20 images are 2,400: 240 steps of 10.
  assert planned(trained(40), 600) == whole.Plan('', 240, 4.0)
  # As long as its protocol says, where that is less.
  assert planned(trained(40), 40) == whole.Plan('', 0, 40.0)
  assert planned(trained(40), 600, 'yes') == whole.Plan('', 0, 40.0)
  assert '0.98 of an epoch of 2,450' in planned(trained(40), 2450).reason


def test_what_cannot_be_scored_says_why():
  assert 'mine does not say how to learn' in planned(OPAQUE, 600).reason
  assert 'do not fit' in planned(trained(40), 1 << 24, 'yes').reason
  image = np.zeros((4, 8, 8, 1), np.float32)
  hosted = HostSource(image, np.arange(4) % 2, None, 2)
  asked = whole.Asked('yes', 'dense', 3, 20)
  assert 'do not fit' in whole.plan(asked, EXACT, hosted).reason


@pytest.fixture
def scorer(bright_rows, tmp_path):
  def make(**evaluation):
    config = recipe.default('kip')
    evaluation = {**ALONE, **evaluation}
    recipe.update(config, {'ipc': 2, 'evaluation': evaluation})
    return Scorer(config, prepare(bright_rows), Cache(tmp_path))

  return make


def a_set(scorer):
  taken = scorer.prepared.train.take(np.arange(6))
  return DistilledData(*taken)


def test_the_score_is_that_of_all_training_images(scorer, monkeypatch):
  made = scorer()
  found = score(made, a_set(made))['whole']
  assert found['runs'] == 'exact' and found['protocol'] == 'krr-ntk'
  train, test = made.prepared.train, made.prepared.test
  assert found['examples'] == len(train) == 54
  x, y = map(np.asarray, train.take(np.arange(54)))
  real, expected = map(np.asarray, test.take(np.arange(30)))
  kernel = dense_kernel('ntk')
  gram = np.asarray(kernel(x, None), np.float64)
  ridge = 1e-6 * np.trace(gram) / 54
  weights = np.linalg.solve(gram + ridge * np.eye(54), y - 1 / 3)
  said = np.asarray(kernel(real, x)) @ weights
  right = said.argmax(1) == expected.argmax(1)
  assert found['mean'] == pytest.approx(100 * right.mean(), abs=1e-3)
  # A second run finds it.
  monkeypatch.setattr(references.whole, 'data', None)
  assert score(made, a_set(made))['whole'] == found


def test_a_trained_learner_says_how_long(scorer):
  small = {'name': 'mlp', 'width': 4, 'depth': 1}
  made = scorer(protocol='dc', network=small, steps=20)
  found = score(made, a_set(made))['whole']
  # Two learners see 6 images 20 times: 240, in steps of all 54 images.
  assert found['runs'] == '1 learner' and found['epochs'] == 4.0
  assert found['protocol'].startswith('dc (4 steps')


def test_it_is_left_out_where_it_is_not_asked_for(scorer):
  made = scorer(whole='no')
  assert 'whole' not in score(made, a_set(made))
  config = recipe.default('kip')
  recipe.update(config, {'evaluation': {'whole': 'maybe'}})
  with pytest.raises(UserError, match=r'evaluation\.whole.*auto, yes, no'):
    limits.check(config)


def test_several_seeds_have_one_score_of_the_whole_set():
  def result(mean, **more):
    score = {'mean': mean, 'std': None, 'values': [mean]}
    alike = {'protocol': 'dc', 'baselines': {}, 'other_scores': {}}
    return {**alike, 'test_accuracy': score, 'whole': {**score, **more}}

  two = {s: result(90.0 + s, runs='1 learner', epochs=3.0) for s in (0, 2)}
  found = seeds.summary(two)['whole']
  assert (found['mean'], found['epochs']) == (91.0, 3.0)
  two[2]['whole'] = {'examples': 9, 'left_out': 'too large'}
  assert 'whole' not in seeds.summary(two)
