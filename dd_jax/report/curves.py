"""Learning curves as SVG, drawn by hand: small, sharp, light and dark."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dd_jax.report import axes, formats, svg
from dd_jax.report.axes import Axis
from dd_jax.report.markup import Markup, element, join

_WIDTH, _HEIGHT = 480, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 48, 40
_LETTER = 8.5  # width of one in a label, in the widest of the fonts
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


class Frame(NamedTuple):
  """Where a chart's values are drawn.

  Attributes:
    x: the steps.
    y: the values.
    left: pixels beside the picture, for the labels of `y`.
  """

  x: Axis
  y: Axis
  left: float

  def across(self, step: np.ndarray | float) -> np.ndarray:
    """Pixels from the left."""
    return self.left + (_WIDTH - _RIGHT - self.left) * self.x.place(step)

  def down(self, value: np.ndarray | float) -> np.ndarray:
    """Pixels from the top."""
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * self.y.place(value)


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
  bounds = (0.0 if low >= 0 else -math.inf, math.inf)
  y = (
    axes.logarithmic(low, high)
    if spans
    else axes.padded(low, high, within=bounds)
  )
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
  y = axes.padded(low, high, least=1.0, within=(0.0, 100.0))
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


def _chart(name: str, curve: Curve, y: Axis, selected: float | None) -> Markup:
  last = max(float(curve.step.max()), selected or 0.0)
  widest = max(map(len, axes.labels(y)), default=0)
  frame = Frame(axes.counts(last), y, max(_LEFT, 14 + _LETTER * widest))
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
    svg.text(frame.left, 18, 'start', name, 'name'),
    *_y_ticks(frame),
    *_x_ticks(frame),
    *_drawn(curve, frame),
    *_chosen(curve, selected, frame),
  )


def _told(curve: Curve) -> str:
  known = curve.value[np.isfinite(curve.value)]
  return f'From {known[0]:.3g} to {known[-1]:.3g}.'


def _y_ticks(frame: Frame) -> list[Markup]:
  parts = []
  for tick, name in zip(frame.y.ticks, axes.labels(frame.y), strict=True):
    at = round(float(frame.down(tick)), 1)
    parts.append(svg.line(frame.left, at, _WIDTH - _RIGHT, at, 'rule'))
    parts.append(svg.text(frame.left - 8, at + 4.5, 'end', name))
  return parts


def _x_ticks(frame: Frame) -> list[Markup]:
  floor = _HEIGHT - _BOTTOM
  parts = [svg.line(frame.left, floor, _WIDTH - _RIGHT, floor, 'base')]
  for tick, name in zip(frame.x.ticks, axes.labels(frame.x), strict=True):
    at = round(float(frame.across(tick)), 1)
    # A label at the right end would leave the picture if it were centred.
    anchor = 'end' if at > _WIDTH - 28 else 'middle'
    near = _WIDTH - 4 if anchor == 'end' else at
    parts.append(svg.line(at, floor, at, floor + 4, 'base'))
    parts.append(svg.text(near, floor + 19, anchor, name))
  parts.append(svg.text(_WIDTH - _RIGHT, _HEIGHT - 5, 'end', 'outer step'))
  return parts


def _drawn(curve: Curve, frame: Frame) -> list[Markup]:
  parts = []
  for run in _runs(curve):
    across = frame.across(run.step)
    line = _path(across, frame.down(run.value))
    if (run.high > run.low).any():
      back = _path(across[::-1], frame.down(run.low)[::-1], 'L')
      outline = f'{_path(across, frame.down(run.high))}{back}Z'
      parts.append(element('path', {'class': 'band', 'd': outline}))
    parts.append(element('path', {'class': 'curve', 'd': line}))
    if len(run.step) == 1 or len(curve.step) <= _MARKED:
      parts.append(_dots(across, frame.down(run.value)))
  return parts


def _chosen(curve: Curve, selected: float | None, frame: Frame) -> list[Markup]:
  if selected is None:
    return []
  known = np.isfinite(curve.value)
  step, value = curve.step[known], curve.value[known]
  nearest = value[np.abs(step - selected).argmin()]
  at, height = float(frame.across(selected)), float(frame.down(nearest))
  end = at > _WIDTH / 2
  label = f'step {round(selected):,}'
  return [
    svg.line(
      round(at, 1), _TOP - 20, round(at, 1), _HEIGHT - _BOTTOM, 'chosen'
    ),
    svg.dot(at, height, 5, 'ring'),
    svg.text(
      at + (-7 if end else 7),
      _TOP - 10,
      'end' if end else 'start',
      label,
      'mark',
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
    *(svg.dot(float(a), float(b)) for a, b in zip(across, down, strict=True))
  )
