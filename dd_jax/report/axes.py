"""Axes of charts: where values lie, which get a label, and what it says."""

import math
from typing import NamedTuple

import numpy as np

from dd_jax.report import formats

_PLAIN = 1e-4, 1e9  # what is written out, with or without a unit
_LARGE = 1e4  # from which on a unit is shorter: 10k
_DECIMALS = 12  # of a tick, at most: more is rounding


class Axis(NamedTuple):
  """Where values lie on a side of a chart, and which of them get a label.

  Attributes:
    low: value at the start.
    high: value at the end.
    log: whether distances are ratios.
    ticks: values to label.
  """

  low: float
  high: float
  log: bool
  ticks: tuple[float, ...]

  def place(self, value: np.ndarray | float) -> np.ndarray:
    """Returns 0 at the start of the axis and 1 at its end."""
    if not self.log:
      return (np.asarray(value) - self.low) / (self.high - self.low)
    ends = math.log10(self.low), math.log10(self.high)
    return (np.log10(value) - ends[0]) / (ends[1] - ends[0])


def linear(low: float, high: float) -> Axis:
  """Returns an axis that covers the two values, with about five round ticks."""
  if high - low <= 1e-9 * max(abs(low), abs(high), 1e-300):
    margin = 0.05 * abs(low) or 0.5
    low, high = low - margin, high + margin
  return Axis(low, high, False, _ticks(low, high, (1, 2, 2.5, 5, 10)))


def padded(
  low: float,
  high: float,
  *,
  least: float = 0.0,
  within: tuple[float, float] = (-math.inf, math.inf),
) -> Axis:
  """Returns a linear axis with room on either side, where values can be.

  Args:
    low: the smallest value shown.
    high: the greatest.
    least: the smallest margin.
    within: what no value can leave; nor does the axis.
  """
  margin = max(0.06 * (high - low), least)
  margin = margin or 0.05 * abs(low) or 0.5
  return linear(
    max(low - margin, min(low, within[0])),
    min(high + margin, max(high, within[1])),
  )


def counts(high: float) -> Axis:
  """Returns an axis from 0 whose ticks are whole numbers."""
  high = max(1.0, high)
  sizes = (1, 2, 5, 10) if high < 100 else (1, 2, 2.5, 5, 10)
  ticks = _ticks(0.0, high, sizes)
  return Axis(0.0, high, False, tuple(t for t in ticks if t == round(t)))


def logarithmic(low: float, high: float) -> Axis:
  """Returns a logarithmic axis over two positive values."""
  first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
  every = max(1, math.ceil((last - first) / 6))
  within = (1,) if high / low > 1e3 else (1, 2, 5)
  marks = [m * 10.0**e for e in range(first, last + 1, every) for m in within]
  ticks = tuple(m for m in marks if low / 1.001 <= m <= high * 1.001)
  return Axis(low, high, True, ticks)


def labels(axis: Axis) -> list[str]:
  """Returns what the ticks say, in one unit and to one digit: 0, 5k, 10k.

  Whatever the axis, no two of them say the same.
  """
  top = max(map(abs, axis.ticks), default=0.0)
  if axis.log:
    told = [_alone(tick) for tick in axis.ticks]
  elif top >= _PLAIN[1] or 0 < top < _PLAIN[0]:
    told = [_exponent(tick) for tick in axis.ticks]
  else:
    told = _in_a_unit(axis.ticks, top)
  return [text.replace('-', formats.MINUS) for text in told]


def _alone(tick: float) -> str:
  plain = _PLAIN[0] <= tick < _PLAIN[1]
  return _in_a_unit((tick,), tick)[0] if plain else _exponent(tick)


def _in_a_unit(ticks: tuple[float, ...], top: float) -> list[str]:
  unit, letter = (1e6, 'M') if top >= 1e6 else (1e3, 'k')
  large = top >= _LARGE and all(abs(tick) >= 100 for tick in ticks if tick)
  if large and max(_decimals(tick / unit) for tick in ticks) <= 2:
    return [f'{tick / unit:g}{letter}' if tick else '0' for tick in ticks]
  digits = max(map(_decimals, ticks), default=0)
  return [f'{tick:,.{digits}f}' for tick in ticks]


def _exponent(value: float) -> str:
  if not value:
    return '0'
  return np.format_float_scientific(value, trim='-', exp_digits=1).replace(
    'e+', 'e'
  )


def _decimals(value: float) -> int:
  """How many digits after the point a tick takes."""
  _, _, digits = f'{value:.{_DECIMALS}f}'.rstrip('0').partition('.')
  return len(digits)


def _ticks(
  low: float, high: float, sizes: tuple[float, ...]
) -> tuple[float, ...]:
  raw = (high - low) / 4
  power = 10.0 ** math.floor(math.log10(raw))
  gap = power * min(sizes, key=lambda m: abs(m - raw / power))
  first, last = math.ceil(low / gap - 1e-9), math.floor(high / gap + 1e-9)
  return tuple(float(f'{i * gap:.12g}') for i in range(first, last + 1))
