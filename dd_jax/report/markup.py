"""HTML and SVG by construction: whatever is not `Markup` gets escaped."""

import html
import re
from collections.abc import Mapping, Sequence

_VOID = frozenset({'br', 'hr', 'img', 'link', 'meta', 'source'})
# Neither XML nor a reader can do anything with these.
_CONTROL = re.compile(
  '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]'
)


class Markup(str):
  """Text that already is markup, and so is not escaped again."""

  __slots__ = ()


def text(value: object) -> Markup:
  """Returns `value` as markup: escaped, unless it is `Markup` already."""
  if isinstance(value, Markup):
    return value
  return Markup(html.escape(_CONTROL.sub('\ufffd', str(value))))


def join(*parts: object) -> Markup:
  """Returns the parts one after the other, each escaped as `text` does."""
  return Markup(''.join(map(text, parts)))


def element(
  name: str, attributes: Mapping[str, object], *children: object
) -> Markup:
  """Returns `<name attributes>children</name>`.

  Args:
    name: the element's name.
    attributes: names to values; the values are escaped.
    *children: `Markup`, or anything else, which is escaped.
  """
  pairs = ''.join(f' {key}="{text(str(v))}"' for key, v in attributes.items())
  if name in _VOID:
    return Markup(f'<{name}{pairs}>')
  return Markup(f'<{name}{pairs}>{join(*children)}</{name}>')


def definitions(rows: Sequence[tuple[object, object]]) -> Markup:
  """Returns a definition list of the rows that have a value."""
  pairs = [
    element('div', {}, element('dt', {}, name), element('dd', {}, value))
    for name, value in rows
    if value not in (None, '')
  ]
  return element('dl', {}, *pairs) if pairs else Markup('')
