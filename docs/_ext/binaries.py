"""The flags of the commands, as Markdown."""

import inspect
from typing import Any

from catalogue import table

from dd_jax.run.command_line import listed
from dd_jax.run.commands import COMMANDS, load


def command_line() -> str:
  """Every command: its help and its flags."""
  return '\n'.join(_binary(name) for name in COMMANDS)


def _binary(name: str) -> str:
  command = load(name)
  first, _, rest = inspect.cleandoc(command.about).partition('\n')
  found = listed(command.flags)
  rows = [(f'`--{f.name}`', f.flag_type(), _told(f)) for f in found]
  shown = table(('flag', 'type', 'what it is'), rows)
  told = '\n\n'.join(_paragraph(p) for p in rest.strip('\n').split('\n\n'))
  return f'## {name}\n\n{first}\n\n{told}\n\n{shown}\n'


def _paragraph(text: str) -> str:
  """Commands as code, anything else as it is."""
  is_code = text.lstrip().startswith('dd-jax ')
  return f'```\n{inspect.cleandoc(text)}\n```' if is_code else text


def _told(flag: Any) -> str:
  """The help text line by line."""
  return '<br>'.join((flag.help or '').splitlines())
