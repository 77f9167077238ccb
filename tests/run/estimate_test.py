"""What a run takes, from its own first steps."""

import numpy as np
import pytest

from dd_jax.run import estimate
from dd_jax.run.costs import Costs, Length
from dd_jax.run.estimate import Estimate


class Bar:
  """A writer that shows how much is left."""

  def __init__(self):
    self.messages, self.ahead, self.begun = [], [], []
    self.message, self.begin = self.messages.append, self.begun.append

  def expect(self, num_steps, ahead):
    self.ahead.append((num_steps, *ahead[:3]))

  def __getattr__(self, name):
    return lambda *args: None


@pytest.fixture
def told(monkeypatch):
  """`told(seconds, total)`: what a bar hears of chunks of 1, 2, 4 ... steps."""

  def run(seconds, total):
    now, bar, asked = [0.0], Bar(), []
    monkeypatch.setattr(estimate.time, 'monotonic', lambda: now[0])

    def costs(step):
      asked.append(step)
      return Costs(5.0, 0.0, 0.0, step, 2.0, 30.0, 3 << 20)

    writer = Estimate(costs, Length(total, 100), [bar])
    first, count = 0, 1
    now[0] += 60  # compiling
    while first < min(total, 500):
      now[0] += seconds * count
      steps = np.arange(first + 1, first + count + 1)
      writer.scalars(steps, {'loss': np.zeros(count)})
      first, count = first + count, 2 * count
    return bar, asked

  return run


def test_after_two_steps_the_whole_is_told_once(told):
  bar, asked = told(2.0, 1000)
  assert asked == [pytest.approx(2.0)]
  assert len(bar.messages) == 1 and bar.begun == [3]
  for part in ('1,000 steps of 2 s 33:20', 'validating 0:20', 'scoring 0:30'):
    assert part in bar.messages[0]
  assert bar.messages[0].startswith('estimate: 34:15 (so far 0:05')
  assert bar.messages[0].endswith('the loop holds 3 MiB')
  assert bar.ahead == [(1000, 100, 2.0, 30.0)]


def test_fast_steps_are_counted_for_half_a_second(told):
  """Two of them would tell of the clock."""
  bar, asked = told(0.01, 100_000)
  assert asked == [pytest.approx(0.01)] and bar.begun[0] >= 51


def test_a_short_run_is_left_in_peace(told):
  bar, asked = told(0.1, 200)
  assert not asked and not bar.messages
