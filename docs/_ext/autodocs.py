"""Has autodoc read docstrings as they are written here."""

import re
from typing import Any

from docstrings import to_rst
from docutils import nodes
from sphinx.ext.napoleon import Config, GoogleDocstring

_FIELD = re.compile('Alias for field number')
_FLAX = re.compile(r', parent: .*? = <[^>]*>, name: str \| None = None')
_FUNCTION = re.compile(r'<function (\w+)[^>]*>')
_GOOGLE = Config(napoleon_use_ivar=True, napoleon_use_rtype=False)
_VALUES = ('attribute', 'data', 'property')


def setup(app: Any) -> dict[str, bool]:
  """Has every docstring rewritten."""
  app.connect('autodoc-process-docstring', _process)
  app.connect('autodoc-process-signature', _signature)
  app.connect('autodoc-skip-member', _skip)
  app.connect('doctree-read', _colons)
  return {'parallel_read_safe': True, 'parallel_write_safe': True}


def _process(
  app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
  del app, name
  if what in _VALUES:  # has no sections, and a long value tells nothing
    options.no_value = not isinstance(thing, str | int | float)
    lines[:] = to_rst(lines)
  else:
    lines[:] = GoogleDocstring(to_rst(lines), _GOOGLE, what=what).lines()


def _signature(
  app: Any,
  what: str,
  name: str,
  thing: Any,
  options: Any,
  arguments: str | None,
  returned: str | None,
) -> tuple[str | None, str | None]:
  """Makes Python of defaults that are functions; leaves out Flax's own."""
  del app, what, name, thing, options
  if arguments is not None:
    arguments = _FLAX.sub('', _FUNCTION.sub(r'\1', arguments))
  return arguments, returned


def _skip(
  app: Any, what: str, name: str, thing: Any, skip: bool, options: Any
) -> bool | None:
  """Leaves out a named tuple's fields: the class's docstring tells of them."""
  del app, what, name, skip, options
  return True if _FIELD.match(getattr(thing, '__doc__', None) or '') else None


def _colons(app: Any, tree: nodes.document) -> None:
  """Has arguments told of as in the code, `name: what`, not `name -- what`."""
  del app
  for text in list(tree.findall(nodes.Text)):
    if text == ' -- ':
      text.parent.replace(text, nodes.Text(': '))
