"""What was asked of the learners beside their accuracy."""

from collections.abc import Mapping
from typing import Any

from dd_jax.report import facts, formats
from dd_jax.report.markup import Markup, element


def table(result: Mapping[str, Any]) -> Markup:
  """Returns a row for each metric, a column for each set, or nothing.

  Args:
    result: as in result.json.
  """
  own = _of(result.get('test_accuracy'))
  if not own:
    return Markup('')
  columns = {formats.title(result.get('method', 'This set')): own}
  for key, entry in facts.comparable(result).items():
    columns[formats.title(key)] = _of(entry)
  columns[facts.whole_name(result)] = _of(facts.whole(result))
  known = {name: held for name, held in columns.items() if held}
  heads = [_head('Metric', 'name'), *(_head(name, 'score') for name in known)]
  rows = [_row(name, known, measure) for name, measure in own.items()]
  shown = element(
    'table',
    {'class': 'scores'},
    element(
      'caption', {}, f'The same learners, under the {facts.protocol(result)} '
      'protocol',
    ),
    element('thead', {}, element('tr', {}, *heads)),
    element('tbody', {}, *rows),
  )  # fmt: skip
  return element('div', {'class': 'wide'}, shown)


def said(measure: object) -> str:
  """A metric's mean, deviation and unit; '' where it has none."""
  held = facts.mapping(measure)
  known = formats.number(held.get('mean')) is not None
  return f'{_number(held)} {held.get("unit", "")}' if known else _number(held)


def _number(measure: object) -> str:
  """The same without its unit."""
  held = facts.mapping(measure)
  mean, std = (formats.number(held.get(k)) for k in ('mean', 'std'))
  if mean is None:
    return 'not finite' if held else ''
  digits = 1 if held.get('unit') == '%' else 3
  spread = '' if std is None else f' ± {std:.{digits}f}'
  return f'{mean:.{digits}f}{spread}'


def _of(entry: object) -> Mapping[str, Any]:
  return facts.mapping(facts.mapping(entry).get('metrics'))


def _row(
  name: str, columns: Mapping[str, Mapping[str, Any]], own: object
) -> Markup:
  cells = [
    element('td', {'class': 'score'}, _number(held.get(name)))
    for held in columns.values()
  ]
  held = facts.mapping(own)
  about = element('small', {}, f'{held.get("unit", "")}; {held["about"]}')
  named = element(
    'th', {'scope': 'row', 'class': 'name'}, f'{name.replace("_", " ")} ', about
  )
  return element('tr', {}, named, *cells)


def _head(name: str, kind: str) -> Markup:
  return element('th', {'scope': 'col', 'class': kind}, name)
