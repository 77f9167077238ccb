"""A sign is seen where it is, and nowhere else."""

import math

import numpy as np
import pytest

from dd_jax.evaluation import diagnoses
from dd_jax.evaluation.score import Score

NAMES = ('cat', 'dog')


def rows(**columns):
  return {k: np.asarray(v, np.float32) for k, v in columns.items()}


def test_a_step_size_that_fell_to_zero():
  found = diagnoses.of_rows(54, rows(step_size=[0] * 10, grad_norm=[0] * 10))
  assert list(found) == ['step size']  # the cause, not what follows from it
  assert 'is 0 at step 54' in found['step size']
  assert 'config.method.step_size' in found['step size']


def test_a_gradient_of_zero():
  found = diagnoses.of_rows(30, rows(step_size=[0.1] * 10, grad_norm=[0] * 10))
  assert list(found) == ['gradient'] and 'step 30' in found['gradient']


@pytest.mark.parametrize(
  'columns',
  [
    {'grad_norm': [0] * 9},  # too few
    {'grad_norm': [0] * 9 + [1e-30]},
    {'grad_norm': [1] + [0] * 9},
    {'step_size': [0] * 9 + [0.01], 'grad_norm': [1] * 10},
    {'step_size': [1e-6] * 10, 'grad_norm': [1] * 10},
    {'loss': [0] * 10},
  ],
)
def test_rows_of_a_run_that_learns(columns):
  assert diagnoses.of_rows(10, rows(**columns)) == {}


def of(values, k=10):
  found = diagnoses.Losses(
    len(values), min(values), np.mean(values), max(values)
  )
  return diagnoses.of_losses(found, k)


@pytest.mark.parametrize('noise', [0.0, 0.01, 0.09])
def test_a_loss_that_is_a_guess(noise):
  """Noise of batches does not hide it."""
  line = of([math.log(10) + noise * (-1) ** i for i in range(300)])
  assert line is not None and 'ln 10' in line and '300 steps' in line


def test_a_loss_that_stays():
  line = of([1.0] * 54)
  assert line is not None and 'stayed at 1,' in line


@pytest.mark.parametrize(
  'values',
  [
    [1.0] * 19,  # too short a run
    list(np.linspace(2.31, 2.1, 300)),  # it began as a guess
    list(np.linspace(1.1, 1.0, 300)),
    [0.0] * 300,  # a selection: nothing is optimised
  ],
)
def test_losses_of_a_run_that_learns(values):
  assert of(values) is None


def test_no_step_is_no_sign():
  none = diagnoses.Losses(0, math.inf, 0.0, -math.inf)
  assert diagnoses.of_losses(none, 10) is None


def score(mean, counts=None, undecided=0):
  return Score('dc', mean, None, (mean,), 'exact', mean, undecided, counts)


def test_below_random():
  (line,) = diagnoses.of_score(score(11.0), score(25.0), NAMES)
  assert '11.0 %' in line and '25.0 %' in line
  assert diagnoses.of_score(score(25.0), score(25.0), NAMES) == []
  assert diagnoses.of_score(score(11.0), None, NAMES) == []


def test_one_class():
  (line,) = diagnoses.of_score(score(50, ((0, 9, 0), (0, 9, 0))), None, NAMES)
  assert "'dog'" in line


def test_no_better_than_the_commonest_class():
  """84 % where the commonest is 80 % is better; 79 % is not."""
  better, worse = ((76, 4, 0), (12, 8, 0)), ((70, 10, 0), (11, 9, 0))
  assert diagnoses.of_score(score(84, better), None, NAMES) == []
  (line,) = diagnoses.of_score(score(79, worse), None, NAMES)
  assert "'cat'" in line and '79.0 %' in line and '80.0 %' in line


def test_learners_that_diverged():
  counts = ((0, 0, 5), (0, 0, 5))
  (line,) = diagnoses.of_score(score(0, counts, 10), None, NAMES)
  assert '10 answers' in line and 'not finite' in line
  (line,) = diagnoses.of_others({'herding': score(0, None, 3), 'x': score(9)})
  assert 'herding' in line
