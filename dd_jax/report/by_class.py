"""How well each class is told apart, and from what it is not."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dd_jax.report import facts, formats
from dd_jax.report.markup import Markup, element, join

_MOST = 20  # classes; of more, the worst are shown


class Row(NamedTuple):
  """A class of the test set.

  Attributes:
    name: with its number, where it has another name.
    examples: in the test set.
    accuracy: percent.
    taken_for: the class that it was most often taken for, or ''.
  """

  name: str
  examples: int
  accuracy: float
  taken_for: str


def table(result: Mapping[str, Any], class_names: Sequence[str]) -> Markup:
  """Returns accuracy by class, or nothing where a result does not tell it.

  Args:
    result: as in result.json.
    class_names: in label order.
  """
  rows = _rows(result, class_names)
  if not rows:
    return Markup('')
  shown = rows
  if len(rows) > _MOST:
    shown = sorted(rows, key=lambda row: row.accuracy)[:_MOST]
  heads = ('Class', 'Test images', 'Accuracy, %', 'Most often taken for')
  kinds = ('name', 'count', 'score', 'other')
  said = f'The {len(shown)} classes that are told worst, of {len(rows):,}'
  return element(
    'table',
    {'class': 'scores classes'},
    element(
      'caption', {}, said if len(shown) < len(rows) else 'Accuracy by class'
    ),
    element('thead', {}, element('tr', {}, *map(_head, heads, kinds))),
    element('tbody', {}, *map(_told, shown)),
  )


def lead(result: Mapping[str, Any]) -> str:
  """Says what the mean over classes is, where they are not equally large."""
  test = facts.mapping(result.get('test_set'))
  own = facts.mapping(result.get('test_accuracy'))
  balanced = formats.number(own.get('balanced'))
  commonest = formats.number(test.get('commonest'))
  if (
    balanced is None
    or commonest is None
    or not facts.unequal(facts.class_sizes(result))
  ):
    return ''
  return (
    f'The classes of the test set are not equally large: always naming the '
    f'commonest scores {commonest:.1f} %. Balanced accuracy, the mean over '
    f'classes, is {balanced:.1f} %.'
  )


def _rows(result: Mapping[str, Any], class_names: Sequence[str]) -> list[Row]:
  own = facts.mapping(result.get('test_accuracy'))
  shares = own.get('by_class') or ()
  sizes = facts.mapping(result.get('test_set')).get('by_class') or ()
  if not len(shares) == len(sizes) == len(class_names):
    return []
  confused = own.get('confusion') or [()] * len(sizes)
  return [
    Row(
      facts.class_name(class_names, i),
      sizes[i],
      shares[i],
      _taken_for(i, confused[i], class_names),
    )
    for i in range(len(sizes))
    if shares[i] is not None
  ]


def _taken_for(i: int, row: Sequence[int], class_names: Sequence[str]) -> str:
  others = [count if j != i else 0 for j, count in enumerate(row)]
  if not any(others):
    return ''
  most = others.index(max(others))
  name = class_names[most] if most < len(class_names) else 'nothing: not finite'
  return f'{name} ({100 * others[most] / sum(row):.1f} %)'


def _told(row: Row) -> Markup:
  return element(
    'tr',
    {},
    element('th', {'scope': 'row', 'class': 'name'}, row.name),
    element('td', {'class': 'count'}, f'{row.examples:,}'),
    element('td', {'class': 'score'}, f'{row.accuracy:.1f}'),
    element('td', {'class': 'other'}, row.taken_for),
  )


def _head(name: str, kind: str) -> Markup:
  return element('th', {'scope': 'col', 'class': kind}, join(name))
