"""Learning curves as SVG, drawn by hand: small, sharp, light and dark."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dd_jax.report import formats
from dd_jax.report.markup import Markup, element, join

_WIDTH, _HEIGHT = 480, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 40, 40
_BUCKETS = 180
_MARKED = 60  # points, up to which each gets a dot
_LOG_FROM = 20.0  # ratio of the ends, from which the axis is logarithmic

STYLE = """
.chart text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,Arial,
sans-serif;fill:var(--muted);font-variant-numeric:tabular-nums}
.chart .name{font-size:14px;font-weight:600;fill:var(--ink)}
.chart .rule{stroke:var(--line);stroke-width:1;fill:none}
.chart .base{stroke:var(--muted);stroke-width:1;fill:none}
.chart .curve{stroke:var(--accent);stroke-width:2;fill:none;
stroke-linejoin:round;stroke-linecap:round}
.chart .band{fill:var(--accent);opacity:.18}
.chart .dot{fill:var(--accent)}
.chart .chosen{stroke:var(--warm);stroke-width:1.5;stroke-dasharray:4 4}
.chart .ring{fill:var(--page);stroke:var(--warm);stroke-width:2.5}
.chart .mark{fill:var(--warm);font-weight:600}
"""
PALETTE = """
:root{--page:#fff;--ink:#16191f;--muted:#5b6270;--line:#e3e6eb;
--accent:#2456b8;--warm:#a84d0b;--soft:#f5f6f8;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--page:#101216;--ink:#e9ebef;
--muted:#a0a8b5;--line:#2b3038;--accent:#86b1ff;--warm:#f2a365;
--soft:#181b21}}
"""


class Curve(NamedTuple):
  """A curve thin enough to draw; gaps are NaN.

  Attributes:
    step: float64 `[p]`: the last of the steps summed up.
    value: float64 `[p]`: their mean.
    low: float64 `[p]`: the least.
    high: float64 `[p]`: the greatest.
  """

  step: np.ndarray
  value: np.ndarray
  low: np.ndarray
  high: np.ndarray


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


def column(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
  """Returns `[p, 2]`: step and value of the rows; NaN for what is no number.

  Args:
    rows: as in metrics.jsonl; rows without a step are left out.
    name: key of the value.
  """
  pairs = [
    (row['step'], _number(row.get(name)))
    for row in rows
    if name in row and formats.number(row.get('step')) is not None
  ]
  return np.asarray(pairs, np.float64).reshape(-1, 2)


def thin(points: np.ndarray, buckets: int = _BUCKETS) -> Curve:
  """Sums up neighbouring points so that at most `buckets` are left.

  Args:
    points: `[p, 2]`: step and value; NaN is skipped.
    buckets: most points to keep.
  """
  step, value = points.T
  if len(step) <= 2 * buckets:
    return Curve(step, value, value, value)
  edges = np.linspace(0, len(step), buckets, endpoint=False).astype(int)
  known = np.isfinite(value)
  seen = np.add.reduceat(known.astype(float), edges)
  total = np.add.reduceat(np.where(known, value, 0.0), edges)
  return Curve(
    np.maximum.reduceat(step, edges),
    np.divide(total, seen, out=np.full(buckets, np.nan), where=seen > 0),
    np.fmin.reduceat(value, edges),
    np.fmax.reduceat(value, edges),
  )


def linear_axis(low: float, high: float) -> Axis:
  """Returns an axis that covers the two values, with about five round ticks."""
  if high - low <= 1e-9 * max(abs(low), abs(high), 1e-300):
    margin = 0.05 * abs(low) or 0.5
    low, high = low - margin, high + margin
  raw = (high - low) / 4
  power = 10.0 ** math.floor(math.log10(raw))
  gap = power * min((1, 2, 2.5, 5, 10), key=lambda m: abs(m - raw / power))
  first, last = math.ceil(low / gap - 1e-9), math.floor(high / gap + 1e-9)
  ticks = tuple(float(f'{i * gap:.12g}') for i in range(first, last + 1))
  return Axis(low, high, False, ticks)


def log_axis(low: float, high: float) -> Axis:
  """Returns a logarithmic axis over two positive values."""
  first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
  every = max(1, math.ceil((last - first) / 6))
  within = (1,) if high / low > 1e3 else (1, 2, 5)
  marks = [m * 10.0**e for e in range(first, last + 1, every) for m in within]
  ticks = tuple(m for m in marks if low / 1.001 <= m <= high * 1.001)
  return Axis(low, high, True, ticks)


def loss_chart(metrics: Sequence[Mapping[str, Any]]) -> Markup | None:
  """Returns the loss over the outer steps, or None where there is none.

  The axis is logarithmic where all losses are positive and span decades. Of a
  long run, the mean over neighbouring steps is drawn, over a band from the
  least to the greatest of them.

  Args:
    metrics: rows of metrics.jsonl: `step`, `loss`.
  """
  curve = thin(column(metrics, 'loss'))
  if not np.isfinite(curve.value).any():
    return None
  low, high = np.nanmin(curve.low), np.nanmax(curve.high)
  spans = low > 0 and high > _LOG_FROM * low
  y = log_axis(low, high) if spans else _padded(low, high)
  name = 'Loss, log scale' if spans else 'Loss'
  return _chart(name, curve, y, None)


def validation_chart(
  validation: Sequence[Mapping[str, Any]], selected: float | None
) -> Markup | None:
  """Returns validation accuracy over the steps, or None where there is none.

  Args:
    validation: rows of validation.jsonl: `step`, `accuracy` (percent).
    selected: step whose state was returned, marked; or None.
  """
  curve = thin(column(validation, 'accuracy'))
  if not np.isfinite(curve.value).any():
    return None
  low, high = np.nanmin(curve.low), np.nanmax(curve.high)
  y = _padded(low, high, 1.0)
  return _chart('Validation accuracy, %', curve, y, selected)


def standalone(charts: Sequence[Markup]) -> str:
  """Returns the charts beside each other as an SVG file of its own."""
  width = _WIDTH * max(1, len(charts))
  placed = [
    element('g', {'transform': f'translate({i * _WIDTH} 0)'}, chart)
    for i, chart in enumerate(charts)
  ]
  attributes = {
    'xmlns': 'http://www.w3.org/2000/svg',
    'viewBox': f'0 0 {width} {_HEIGHT}',
    'width': width,
    'height': _HEIGHT,
  }
  page = {'width': '100%', 'height': '100%', 'style': 'fill:var(--page)'}
  style = element('style', {}, Markup(PALETTE + STYLE))
  return element('svg', attributes, style, element('rect', page), *placed)


def _number(value: object) -> float:
  found = formats.number(value)
  return math.nan if found is None else found


def _padded(low: float, high: float, least: float = 0.0) -> Axis:
  margin = max(0.06 * (high - low), least)
  return linear_axis(float(low) - margin, float(high) + margin)


def _chart(name: str, curve: Curve, y: Axis, selected: float | None) -> Markup:
  x = _steps(curve.step, selected)
  attributes = {
    'class': 'chart',
    'viewBox': f'0 0 {_WIDTH} {_HEIGHT}',
    'width': _WIDTH,
    'height': _HEIGHT,
    'role': 'img',
    'aria-label': f'{name} against outer step. {_told(curve)}',
  }
  return element(
    'svg',
    attributes,
    _text(_LEFT, 18, 'start', name, 'name'),
    *_y_ticks(y),
    *_x_ticks(x),
    *_drawn(curve, x, y),
    *_chosen(curve, selected, x, y),
  )


def _steps(step: np.ndarray, selected: float | None) -> Axis:
  low, high = float(step.min()), float(step.max())
  if selected is not None:
    low, high = min(low, selected), max(high, selected)
  # Steps count from 1; an axis that starts at 0 reads better.
  return linear_axis(0.0 if low < 0.2 * high else low, high)


def _told(curve: Curve) -> str:
  known = curve.value[np.isfinite(curve.value)]
  return f'From {known[0]:.3g} to {known[-1]:.3g}.'


def _across(x: Axis) -> Callable[[Any], Any]:
  return lambda v: _LEFT + (_WIDTH - _LEFT - _RIGHT) * x.place(v)


def _down(y: Axis) -> Callable[[Any], Any]:
  return lambda v: _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * y.place(v)


def _y_ticks(y: Axis) -> list[Markup]:
  parts = []
  for tick, name in zip(y.ticks, _told_ticks(y.ticks), strict=True):
    at = round(float(_down(y)(tick)), 1)
    parts.append(_line(_LEFT, at, _WIDTH - _RIGHT, at, 'rule'))
    parts.append(_text(_LEFT - 8, at + 4.5, 'end', name))
  return parts


def _x_ticks(x: Axis) -> list[Markup]:
  floor = _HEIGHT - _BOTTOM
  parts = [_line(_LEFT, floor, _WIDTH - _RIGHT, floor, 'base')]
  for tick, name in zip(x.ticks, _told_ticks(x.ticks), strict=True):
    at = round(float(_across(x)(tick)), 1)
    # A label at the right end would leave the picture if it were centred.
    anchor = 'end' if at > _WIDTH - 28 else 'middle'
    near = _WIDTH - 4 if anchor == 'end' else at
    parts.append(_line(at, floor, at, floor + 4, 'base'))
    parts.append(_text(near, floor + 19, anchor, name))
  parts.append(_text(_WIDTH - _RIGHT, _HEIGHT - 5, 'end', 'outer step'))
  return parts


def _drawn(curve: Curve, x: Axis, y: Axis) -> list[Markup]:
  parts = []
  for run in _runs(curve):
    across = _across(x)(run.step)
    line = _path(across, _down(y)(run.value))
    if (run.high > run.low).any():
      back = _path(across[::-1], _down(y)(run.low)[::-1], 'L')
      outline = f'{_path(across, _down(y)(run.high))}{back}Z'
      parts.append(element('path', {'class': 'band', 'd': outline}))
    parts.append(element('path', {'class': 'curve', 'd': line}))
    if len(run.step) == 1 or len(curve.step) <= _MARKED:
      parts.append(_dots(across, _down(y)(run.value)))
  return parts


def _chosen(
  curve: Curve, selected: float | None, x: Axis, y: Axis
) -> list[Markup]:
  if selected is None:
    return []
  known = np.isfinite(curve.value)
  step, value = curve.step[known], curve.value[known]
  nearest = value[np.abs(step - selected).argmin()]
  at, height = float(_across(x)(selected)), float(_down(y)(nearest))
  circle = {'class': 'ring', 'cx': f'{at:.1f}', 'cy': f'{height:.1f}', 'r': 5}
  end = at > _WIDTH / 2
  label = f'step {round(selected):,}'
  return [
    _line(round(at, 1), _TOP - 6, round(at, 1), _HEIGHT - _BOTTOM, 'chosen'),
    element('circle', circle),
    _text(
      at + (-7 if end else 7), _TOP, 'end' if end else 'start', label, 'mark'
    ),
  ]


def _runs(curve: Curve) -> list[Curve]:
  known = np.isfinite(curve.value)
  edges = np.flatnonzero(np.diff(np.concatenate([[0], known, [0]])))
  return [
    Curve(*(part[a:b] for part in curve))
    for a, b in zip(edges[::2], edges[1::2], strict=True)
  ]


def _path(across: np.ndarray, down: np.ndarray, start: str = 'M') -> str:
  points = [f'{a:.1f} {b:.1f}' for a, b in zip(across, down, strict=True)]
  return start + 'L'.join(points)


def _dots(across: np.ndarray, down: np.ndarray) -> Markup:
  return join(
    *(
      element(
        'circle',
        {'class': 'dot', 'cx': f'{a:.1f}', 'cy': f'{b:.1f}', 'r': 3},
      )
      for a, b in zip(across, down, strict=True)
    )
  )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
  ends = {'x1': x1, 'y1': y1, 'x2': x2, 'y2': y2}
  return element('line', {'class': kind, **ends})


def _text(
  x: float, y: float, anchor: str, content: str, kind: str = 'tick'
) -> Markup:
  place = {'x': f'{x:.1f}', 'y': f'{y:.1f}', 'text-anchor': anchor}
  return element('text', {'class': kind, **place}, content)


def _told_ticks(ticks: tuple[float, ...]) -> list[str]:
  """Returns the labels of an axis, all in one unit: 0, 5k, 10k."""
  top = max(map(abs, ticks), default=0.0)
  if top >= 1e4 and all(tick >= 100 for tick in ticks if tick):
    unit, letter = (1e6, 'M') if top >= 1e6 else (1e3, 'k')
    return [f'{t / unit:g}{letter}' if t else '0' for t in ticks]
  return [_tick(tick) for tick in ticks]


def _tick(value: float) -> str:
  if abs(value) >= 1e6 or 0 < abs(value) < 1e-4:
    return f'{value:.0e}'.replace('e-0', 'e-').replace('e+0', 'e')
  return f'{value:,.10g}'.replace('-', formats.MINUS)
