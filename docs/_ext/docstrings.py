"""Docstrings as they are written here, to reStructuredText.

They are Markdown but for `.. math::` and the sections that napoleon reads:
names in single backticks, tables of pipes, and indented blocks that are to be
shown as they are.
"""

import pydoc
import re
from collections.abc import Iterator

_SECTION = re.compile(r'(Args|Attributes|Raises|Returns|Yields):$')
_RULE = re.compile(r'\s*\|(:?-+:?\|)+$')
_CODE = re.compile(r'(:\w+:)?(?<!`)`([^`]+)`(?!`)')
# What may stand beside a literal; anything else needs an escaped space.
_BEFORE, _AFTER = '\'"([{<-/:', '\'")]}>-/\\:.,;!?'
_PIPE = re.compile(r'(?<!\\)\|')


def to_rst(lines: list[str]) -> list[str]:
  """Rewrites the lines of a docstring, whose first is not indented."""
  out: list[str] = []
  for kind, block in blocks(lines):
    if kind == 'table':
      out += ['', *_table(block), '']
    elif kind == 'verbatim':
      out += ['::', '', *block]
    elif kind == 'directive':
      out += block
    else:
      out += names('\n'.join(block)).split('\n')
  return out


def names(text: str) -> str:
  """Names in single backticks become literals, or links where they are ours."""

  def replaced(match: re.Match[str]) -> str:
    if match.group(1):  # :math:`...` is reStructuredText already
      return match.group()
    before = text[: match.start()][-1:] or ' '
    after = text[match.end() :][:1] or ' '
    left = '' if before.isspace() or before in _BEFORE else '\\ '
    right = '' if after.isspace() or after in _AFTER else '\\ '
    return left + _link(match.group(2)) + right

  return _CODE.sub(replaced, text)


def _link(name: str) -> str:
  """`methods.kip.kip` as a link to it, anything else as a literal."""
  if not re.fullmatch(r'\w+(\.\w+)+', name):
    return f'``{name}``'
  full = name if name.startswith('dd_jax.') else f'dd_jax.{name}'
  found = pydoc.locate(full)
  return f':py:obj:`{name} <{full}>`' if found is not None else f'``{name}``'


def blocks(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
  """Cuts a docstring into `text`, `table`, `verbatim` and `directive`."""
  kind, block, in_section = 'text', [], False
  for i, line in enumerate(lines):
    indented = line.startswith(' ')
    if line and not indented:
      in_section = bool(_SECTION.match(line))
    now = _kind(lines, i, kind, in_section)
    if now != kind and block:
      yield kind, block
      block = []
    kind = now
    block.append(line)
  yield kind, block


def _kind(lines: list[str], i: int, before: str, in_section: bool) -> str:
  """Of line `i`, after a line of the kind `before`."""
  line, indent = lines[i], _indent(lines[i])
  if line.lstrip().startswith('|') and (
    before == 'table' or _RULE.match(lines[i + 1] if lines[i + 1 :] else '')
  ):
    return 'table'
  if line.lstrip().startswith('.. '):
    return 'directive'
  if before == 'directive' and (not line or indent > _opening(lines, i)):
    return 'directive'
  if before == 'verbatim' and (not line or indent):
    return 'verbatim'
  starts = indent and not in_section and i and not lines[i - 1].strip()
  return 'verbatim' if starts and before == 'text' else 'text'


def _opening(lines: list[str], i: int) -> int:
  """The indent of the directive that line `i` may belong to."""
  start = next(x for x in lines[i::-1] if x.lstrip().startswith('.. '))
  return _indent(start)


def _indent(line: str) -> int:
  return len(line) - len(line.lstrip())


def _table(lines: list[str]) -> list[str]:
  rows = [cells(line) for i, line in enumerate(lines) if i != 1]
  space = ' ' * _indent(lines[0])
  out = ['.. list-table::', '   :header-rows: 1', '']
  for row in rows:
    marks = ['   * -', *['     -'] * (len(row) - 1)]
    shown = (names(cell) for cell in row)
    out += [f'{m} {c}'.rstrip() for m, c in zip(marks, shown, strict=True)]
  return [space + line for line in out]


def cells(line: str) -> list[str]:
  """Those of a row of a Markdown table."""
  return [cell.strip() for cell in _PIPE.split(line.strip())[1:-1]]
