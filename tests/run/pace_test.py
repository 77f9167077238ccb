"""The time left: steps at their pace, and the validations still to come."""

import pytest

from dd_jax.run.pace import Ahead, Pace, clock


def test_nothing_is_known_at_first():
  pace = Pace()
  assert pace.rate is None and pace.left(100) is None
  pace.steps(1, 5.0)
  assert pace.rate is None and pace.left(100) is None


def test_validations_are_no_steps():
  """Ten steps a second and five seconds for each of ten validations."""
  pace, now = Pace(), 60.0
  pace.steps(1, now)
  for step in range(100, 600, 100):
    now += 99 / 10 if step == 100 else 10
    pace.steps(step, now)
    now += 30 if step == 100 else 5  # the first one compiles
    pace.validated(step, now)
  now += 10
  pace.steps(600, now)
  assert pace.rate == pytest.approx(10)
  assert pace.left(1000) == pytest.approx(400 / 10 + 5 * 5)
  assert pace.left(600) == pytest.approx(5)  # its own is still to come


def test_what_is_known_before_counts_from_the_first_step_on():
  """Ten steps a second; validations of 4 s and a scoring of 60."""
  pace = Pace(Ahead(every=100, validation=4.0, scoring=60.0))
  pace.steps(1, 5.0)
  pace.steps(51, 10.0)
  assert pace.left(951) == pytest.approx(900 / 10 + 10 * 4 + 60)
  pace.steps(100, 14.9)
  pace.validated(100, 17.9)  # faster than was thought
  assert pace.left(950) == pytest.approx(850 / 10 + 9 * 3 + 60)


def test_a_resumed_run_has_only_its_own_validations_ahead():
  pace = Pace(Ahead(every=100, validation=4.0))
  pace.steps(501, 5.0)
  pace.steps(551, 10.0)
  assert pace.left(1000) == pytest.approx(449 / 10 + 5 * 4)


def test_scoring_is_counted_in_validations_where_nothing_else_is_known():
  pace = Pace(Ahead(every=100, scored=7.5))
  pace.steps(1, 0.0)
  pace.steps(100, 9.9)
  assert pace.left(200) == pytest.approx(10)  # no validation was seen yet
  pace.validated(100, 11.9)
  pace.steps(200, 21.9)
  assert pace.left(200) == pytest.approx(2 + 7.5 * 2)


def test_without_validation_steps_are_all():
  pace = Pace()
  pace.steps(501, 0.0)
  pace.steps(601, 10.0)
  assert pace.left(1001) == pytest.approx(40)


@pytest.mark.parametrize(
  ('seconds', 'said'),
  [
    (0, '0:00'),
    (61, '1:01'),
    (3725, '1:02:05'),
    (86_399, '23:59:59'),
    (86_400, '1 d 0 h'),
    (300_000, '3 d 11 h'),
  ],
)
def test_clock(seconds, said):
  assert clock(seconds) == said
