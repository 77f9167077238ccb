"""Says what there is to choose from.

  dd-jax list
  dd-jax list methods
  dd-jax list methods kip
  dd-jax list recipes published/dc

KIND alone gives a line for each; with NAME, all about that one: of a recipe,
the published figures and the cost; of a method, every field with its type,
default and meaning.
"""

import textwrap
from collections.abc import Iterable

from dd_jax.checks import check_name
from dd_jax.run import command_line, overview

command_line.load_parts()
FLAGS = command_line.new_flags()


def show(kind: str = '', name: str = '') -> None:
  """Prints the kinds, those of a kind, or one of them."""
  known = overview.kinds()
  if kind:
    check_name('KIND', kind, known)
  if name:
    check_name('NAME', name, list(known[kind]))
    lines = overview.detail(kind, name)
  elif kind:
    lines = overview.lines(kind)
  else:
    lines = [_wrapped(each, names) for each, names in known.items()]
  print('\n'.join(lines))


def _wrapped(kind: str, names: Iterable[str]) -> str:
  text = f'{kind}: {", ".join(names)}'
  return textwrap.fill(text, 80, subsequent_indent='  ', break_on_hyphens=False)


COMMAND = command_line.Command(
  'list', __doc__, FLAGS, show, ('KIND', 'NAME'), takes_fields=False
)
