"""Accuracy against what it takes, as SVG; every point has its name."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dd_jax.report import axes, svg
from dd_jax.report.axes import Axis
from dd_jax.report.markup import Markup, element, join

_WIDTH = 560
_LEFT, _TOP, _BOTTOM = 50, 40, 44
_NAMES = 190  # pixels on the right
LINE = 17
"""Pixels from one name to the next."""
_LEAST = 200  # pixels of the picture's height
_LETTERS = 24  # of a name
_LOG_FROM = 20.0  # ratio of the ends, from which the axis is logarithmic

STYLE = """
.chart .whisker{stroke:var(--accent);stroke-width:1.5;opacity:.5}
.chart .leader{stroke:var(--line);stroke-width:1;fill:none}
"""


class Point(NamedTuple):
  """A score and what it takes.

  Attributes:
    name: of the run.
    x: bytes or seconds.
    mean: percent.
    std: percentage points.
  """

  name: str
  x: float
  mean: float
  std: float


class _Frame(NamedTuple):
  """Where values are drawn, in pixels."""

  x: Axis
  y: Axis
  height: int

  @property
  def right(self) -> int:
    return _WIDTH - _NAMES

  @property
  def floor(self) -> int:
    return self.height - _BOTTOM

  def across(self, value: float) -> float:
    return _LEFT + (self.right - _LEFT) * float(self.x.place(value))

  def down(self, value: float) -> float:
    return self.floor - (self.floor - _TOP) * float(self.y.place(value))


def chart(title: str, unit: str, points: Sequence[Point]) -> Markup:
  """Returns the picture.

  Args:
    title: above it.
    unit: of x, below its axis.
    points: at least one.
  """
  points = sorted(points, key=lambda p: -p.mean)
  height = _TOP + _BOTTOM + max(_LEAST, LINE * len(points))
  frame = _Frame(_x_axis(points), _y_axis(points), height)
  told = '; '.join(f'{p.name} {p.mean:.1f} at {p.x:.3g}' for p in points)
  attributes = {
    'class': 'chart',
    'viewBox': f'0 0 {_WIDTH} {height}',
    'width': _WIDTH,
    'height': height,
    'role': 'img',
    'aria-label': f'{title} against {unit}: {told}',
  }
  wanted = [frame.down(point.mean) for point in points]
  names = apart(wanted, _TOP, frame.floor)
  return element(
    'svg',
    attributes,
    svg.text(_LEFT, 18, 'start', title, 'name'),
    *_y_ticks(frame),
    *_x_ticks(frame),
    svg.text(frame.right, height - 6, 'end', unit),
    *(_mark(p, frame, y) for p, y in zip(points, names, strict=True)),
  )


def _x_axis(points: Sequence[Point]) -> Axis:
  low, high = min(p.x for p in points), max(p.x for p in points)
  if high > _LOG_FROM * low > 0:
    return axes.logarithmic(0.8 * low, 1.25 * high)
  return axes.padded(low, high, least=0.05 * high, within=(0.0, 2 * high))


def _y_axis(points: Sequence[Point]) -> Axis:
  low, high = zip(*map(_spread, points), strict=True)
  return axes.padded(min(low), max(high), least=1.0, within=(0.0, 100.0))


def _spread(point: Point) -> tuple[float, float]:
  """Mean minus and plus deviation, where accuracies can be."""
  low, high = point.mean - point.std, point.mean + point.std
  return max(0.0, low), min(100.0, high)


def _y_ticks(frame: _Frame) -> Iterator[Markup]:
  for tick, name in zip(frame.y.ticks, axes.labels(frame.y), strict=True):
    at = frame.down(tick)
    yield svg.line(_LEFT, at, frame.right, at, 'rule')
    yield svg.text(_LEFT - 8, at + 4.5, 'end', name)


def _x_ticks(frame: _Frame) -> Iterator[Markup]:
  floor = frame.floor
  yield svg.line(_LEFT, floor, frame.right, floor, 'base')
  for tick, name in zip(frame.x.ticks, axes.labels(frame.x), strict=True):
    yield svg.text(frame.across(tick), floor + 19, 'middle', name)


def _mark(point: Point, frame: _Frame, name_at: float) -> Markup:
  x, y = frame.across(point.x), frame.down(point.mean)
  low, high = map(frame.down, _spread(point))
  name = point.name
  if len(name) > _LETTERS:
    name = f'...{name[3 - _LETTERS :]}'
  return join(
    svg.line(x, y, frame.right + 6, name_at, 'leader'),
    svg.line(x, low, x, high, 'whisker'),
    svg.dot(x, y, 4),
    svg.text(frame.right + 10, name_at + 4.5, 'start', name),
  )


def apart(wanted: Sequence[float], low: float, high: float) -> list[float]:
  """Places near the wanted ones, in their order, that leave room for a line.

  Args:
    wanted: rising.
    low: where the first may be.
    high: where the last may be.
  """
  found: list[float] = []
  for place in wanted:
    found.append(max([place, low, *(p + LINE for p in found[-1:])]))
  limit = high
  for i in reversed(range(len(found))):
    found[i] = min(found[i], limit)
    limit = found[i] - LINE
  return found
