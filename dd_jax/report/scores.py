"""A method beside its baselines: a table with a dot plot in it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from dd_jax.report import axes, formats
from dd_jax.report.markup import Markup, element, join


class Score(NamedTuple):
  """A row of the table.

  Attributes:
    name: what was scored.
    mean: percent.
    std: percentage points, or None for a single exact value.
    values: one per seed.
    own: whether this is the method reported on.
    runs: what the values are: '5 learners', 'exact'; '' where it is not told.
    balanced: percent, mean over classes; None where it is not to be shown.
  """

  name: str
  mean: float
  std: float | None
  values: tuple[float, ...]
  own: bool
  runs: str = ''
  balanced: float | None = None


def read(name: str, entry: object, own: bool = False) -> Score | None:
  """Returns a score of result.json as a row, or None where it has no mean."""
  fields: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {}
  mean = formats.number(fields.get('mean'))
  if mean is None:
    return None
  listed = fields.get('values') or ()
  values = [v for v in map(formats.number, listed) if v is not None]
  std = formats.number(fields.get('std'))
  runs = str(fields.get('runs') or '')
  balanced = formats.number(fields.get('balanced'))
  return Score(name, mean, std, tuple(values), own, runs, balanced)


def together(scores: list[Score]) -> list[Score]:
  """Returns the rows, equal ones as one: they selected the same images.

  Equal is what gave the same accuracy in every run, to the last digit.
  """
  found: dict[tuple[object, ...], Score] = {}
  for score in scores:
    same = (score.mean, score.std, score.values, score.own)
    held = found.get(same)
    name = f'{held.name}, {score.name}' if held else score.name
    found[same] = score._replace(name=name)
  return list(found.values())


def comparison(scores: list[Score], protocol: str) -> Markup:
  """Returns the table of scores under one protocol, best first.

  Args:
    scores: at least one; the method's own is set off.
    protocol: the name under which all of them were scored.
  """
  ordered = sorted(together(scores), key=lambda score: -score.mean)
  axis = _axis(ordered)
  own = next((score.mean for score in scores if score.own), None)
  balanced = any(score.balanced is not None for score in ordered)
  rows = [_row(score, axis, own, balanced) for score in ordered]
  heads = [
    _head('', 'name'),
    _head(_ticks(axis), 'plot'),
    _head('Runs', 'seeds'),
    *([_head('Balanced, %', 'balanced')] if balanced else []),
    _head('Accuracy, %', 'score'),
    _head('Difference', 'difference'),
  ]
  return element(
    'table',
    {'class': 'scores'},
    element('caption', {}, f'Test accuracy, all under the {protocol} protocol'),
    element('thead', {}, element('tr', {}, *heads)),
    element('tbody', {}, *rows),
  )


def others(scores: list[tuple[str, Score]]) -> Markup:
  """Returns the table of the same set's scores under other protocols.

  Args:
    scores: each with the name of its protocol.
  """
  heads, kinds = ('Protocol', 'Runs', 'Accuracy, %'), ('name', 'seeds', 'score')
  rows = [
    element(
      'tr',
      {},
      element(
        'th', {'scope': 'row', 'class': 'name'}, element('code', {}, protocol)
      ),
      element('td', {'class': 'seeds'}, score.runs or len(score.values) or 1),
      element('td', {'class': 'score'}, _accuracy(score)),
    )
    for protocol, score in scores
  ]
  return element(
    'table',
    {'class': 'scores'},
    element('caption', {}, 'The same distilled set, scored in other ways'),
    element(
      'thead',
      {},
      element('tr', {}, *map(_head, heads, kinds)),
    ),
    element('tbody', {}, *rows),
  )


def _accuracy(score: Score) -> str:
  return formats.accuracy({'mean': score.mean, 'std': score.std}) or ''


def _head(name: object, kind: str) -> Markup:
  return element('th', {'scope': 'col', 'class': kind}, name)


def _row(
  score: Score, axis: axes.Axis, own: float | None, balanced: bool
) -> Markup:
  known = '' if score.balanced is None else f'{score.balanced:.1f}'
  column = element('td', {'class': 'balanced'}, known)
  behind = '' if own is None or score.own else formats.signed(score.mean - own)
  return element(
    'tr',
    {'class': 'own'} if score.own else {},
    element('th', {'scope': 'row', 'class': 'name'}, score.name),
    element(
      'td', {'class': 'plot', 'aria-hidden': 'true'}, _track(score, axis)
    ),
    element('td', {'class': 'seeds'}, score.runs or len(score.values) or 1),
    *([column] if balanced else []),
    element('td', {'class': 'score'}, _accuracy(score)),
    element('td', {'class': 'difference'}, behind),
  )


def _axis(scores: list[Score]) -> axes.Axis:
  ends = [end for score in scores for end in _spread(score)]
  ends += [value for score in scores for value in score.values]
  return axes.padded(min(ends), max(ends), least=1.0, within=(0.0, 100.0))


def _spread(score: Score) -> tuple[float, float]:
  """Mean minus and plus deviation, where accuracies can be."""
  std = score.std or 0.0
  return max(0.0, score.mean - std), min(100.0, score.mean + std)


def _track(score: Score, axis: axes.Axis) -> Markup:
  marks = []
  if score.std:
    low, high = _spread(score)
    width = _percent(axis, high) - _percent(axis, low)
    place = f'left:{_percent(axis, low):.2f}%;width:{width:.2f}%'
    marks.append(element('span', {'class': 'std', 'style': place}))
  if len(score.values) > 1:
    marks += [_mark('seed', axis, value) for value in score.values]
  marks.append(_mark('mean', axis, score.mean))
  return element('span', {'class': 'track'}, *marks)


def _mark(kind: str, axis: axes.Axis, value: float) -> Markup:
  return element(
    'span', {'class': kind, 'style': f'left:{_percent(axis, value):.2f}%'}
  )


def _ticks(axis: axes.Axis) -> Markup:
  marks = [
    element('span', {'style': f'left:{_percent(axis, tick):.2f}%'}, name)
    for tick, name in zip(axis.ticks, axes.labels(axis), strict=True)
  ]
  return element('span', {'class': 'ticks'}, join(*marks))


def _percent(axis: axes.Axis, value: float) -> float:
  return 100.0 * float(axis.place(value))
