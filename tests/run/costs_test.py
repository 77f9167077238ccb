"""How long a run there is time for."""

import itertools
import math

import pytest

from dd_jax.run.costs import VALIDATIONS, Costs, Learner, length

FREE = Costs(0, 0, 0, 1, 0, 0, 0)
CASES = [
  FREE._replace(
    spent=spent, start=start, step=step, validation=v, scoring=s, experts=e
  )
  for spent, start, step, v, s, e in itertools.product(
    (0.0, 20.0), (5.0,), (0.001, 0.37, 9.0), (0.0, 1.5, 70.0), (60.0,), (0, 99)
  )
]


@pytest.mark.parametrize('costs', CASES)
def test_a_run_fits_and_one_more_validation_or_a_tenth_more_steps_do_not(costs):
  found = length(costs, 600, most=10**9, least=1)
  assert costs.total(*found) <= 600
  longer = math.ceil(1.1 * found.steps) + 1
  assert costs.total(longer, 0) + costs.validating(*found) > 600
  assert costs.validating(*found) <= 0.2 * costs.room(600) + 1e-9
  count = math.ceil(found.steps / found.every) if found.every else 0
  assert count <= VALIDATIONS
  more = (count + 1) * costs.validation
  often = found.every == math.ceil(found.steps / VALIDATIONS)
  assert often or more > 0.19 * costs.room(600)


def test_no_more_steps_than_asked_for_and_no_fewer_than_the_least():
  assert length(FREE, 600, most=480, least=20) == (480, 48)
  assert length(FREE._replace(step=1e3), 600, most=480, least=20).steps == 20
  assert length(FREE._replace(step=1e3), 600, most=7, least=20).steps == 7
  assert length(FREE._replace(scoring=1e6), 600, most=480, least=20) == (20, 0)


@pytest.mark.parametrize(
  ('step', 'steps'), [(600 / 99.9, 99), (5.99, 100), (0.601, 990), (1.1, 540)]
)
def test_steps_are_rounded_down_to_two_digits(step, steps):
  assert length(FREE._replace(step=step), 600, 10**9, 1).steps == steps


def test_the_whole_is_the_sum_of_what_is_said():
  costs = Costs(1, 2, 4, 0.5, 16, 32, 3 << 20)
  assert costs.total(10, 4) == 1 + 2 + 4 + 10 * 0.5 + 3 * 16 + 32
  assert costs.total(10, 0) == 1 + 2 + 4 + 5 + 32
  told = costs.describe(10, 4)
  assert told.startswith('estimate: 1:32 (') and '3 MiB' in told
  assert '10 steps of 0.5 s 0:05' in told and 'validating 0:48' in told
  assert 'experts' not in costs._replace(experts=0).describe(10, 4)


def test_a_learner_is_its_test_and_its_steps():
  assert Learner(2.0, 0.5, 30).seconds == 17
