"""Axes: they cover the data, end where data can, and label no tick twice."""

import numpy as np
import pytest

from dd_jax.report import axes

RANGES = [
  (0, 1),
  (-3.2, 7.7),
  (0, 500_000),
  (96.1, 96.4),
  (5, 5),
  (0, 0),
  (1e-9, 2e-9),
  (0.00575, 0.0061),
  (10_000.001, 10_000.002),
  (2.302585, 2.302586),
  (-1e-7, 3e-8),
  (1e6, 1e6 + 1),
  (3e9, 4e12),
]


@pytest.mark.parametrize(('low', 'high'), RANGES)
def test_linear_ticks(low: float, high: float) -> None:
  axis = axes.linear(low, high)
  gaps = np.diff(axis.ticks)
  assert 2 <= len(axis.ticks) <= 8
  np.testing.assert_allclose(gaps, gaps[0], rtol=1e-5)
  assert axis.low <= low and axis.high >= high
  slack = 1e-6 * (axis.high - axis.low)
  assert all(axis.low - slack <= t <= axis.high + slack for t in axis.ticks)


def read(label: str) -> float:
  """The value that a label says, as a reader takes it."""
  plain = label.replace(',', '').replace('\N{MINUS SIGN}', '-')
  unit = {'k': 1e3, 'M': 1e6}.get(plain[-1], 1.0)
  return unit * float(plain.rstrip('kM'))


@pytest.mark.parametrize(('low', 'high'), RANGES)
def test_labels_say_their_ticks(low: float, high: float) -> None:
  axis = axes.linear(low, high)
  told = axes.labels(axis)
  assert len(set(told)) == len(axis.ticks)
  np.testing.assert_allclose(
    [read(label) for label in told], axis.ticks, rtol=1e-9, atol=1e-12
  )


def test_labels_of_an_axis_share_digits_and_unit() -> None:
  assert axes.labels(axes.linear(0.0058, 0.0061))[-2:] == ['0.0060', '0.0061']
  assert axes.labels(axes.counts(20_000)) == ['0', '5k', '10k', '15k', '20k']


@pytest.mark.parametrize(
  ('low', 'high'), [(0.5, 11), (1e-8, 3.0), (0.02, 900), (1e-30, 1e30)]
)
def test_log_ticks(low: float, high: float) -> None:
  axis = axes.logarithmic(low, high)
  assert 2 <= len(axis.ticks) <= 12
  np.testing.assert_allclose(axis.place(low), 0, atol=1e-12)
  np.testing.assert_allclose(axis.place(high), 1, atol=1e-12)
  told = [read(label) for label in axes.labels(axis)]
  np.testing.assert_allclose(told, axis.ticks, rtol=1e-9)


@pytest.mark.parametrize('steps', [0, 1, 2, 3, 7, 20, 54, 99, 120, 4321, 10**6])
def test_steps_are_whole(steps: int) -> None:
  axis = axes.counts(steps)
  assert axis.low == 0 and axis.high == max(1, steps)
  assert 2 <= len(axis.ticks) <= 8
  assert all(tick == int(tick) for tick in axis.ticks)


@pytest.mark.parametrize(
  ('low', 'high'), [(100, 100), (99.9, 100), (0, 0), (0, 100), (50, 50.1)]
)
def test_padded_ends_where_data_can(low: float, high: float) -> None:
  axis = axes.padded(low, high, least=1.0, within=(0.0, 100.0))
  assert 0 <= axis.low <= low <= high <= axis.high <= 100
  assert axis.high - axis.low >= 1
  assert axis.low == 0 or axis.low < low
  assert axis.high == 100 or axis.high > high
