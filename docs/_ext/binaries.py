"""The flags of the binaries, as Markdown."""

import importlib
import inspect
from typing import Any

from absl import flags
from catalogue import table

_LONG = 6  # lines
BINARIES = ('distill', 'evaluate', 'experts', 'export')


def command_line() -> str:
  """Every binary: its docstring and its flags."""
  return '\n'.join(_binary(name) for name in BINARIES)


def _binary(name: str) -> str:
  module = importlib.import_module(f'experiments.{name}')
  first, _, rest = (inspect.getdoc(module) or '').partition('\n')
  found = flags.FLAGS.get_key_flags_for_module(module)
  rows = [(f'`--{f.name}`', f.flag_type(), _told(f)) for f in found]
  for flag in found:  # the next binary has flags of the same names
    delattr(flags.FLAGS, flag.name)
  shown = table(('flag', 'type', 'what it is'), rows)
  told = '\n\n'.join(_paragraph(p) for p in rest.strip('\n').split('\n\n'))
  return f'## {name}\n\n{first}\n\n{told}\n\n{shown}\n'


def _paragraph(text: str) -> str:
  """Commands as code, anything else as it is."""
  is_code = text.lstrip().startswith('python ')
  return f'```\n{inspect.cleandoc(text)}\n```' if is_code else text


def _told(flag: Any) -> str:
  """The help text line by line; a long list has a page of its own."""
  lines = (flag.help or '').splitlines()
  short = lines if len(lines) < _LONG else [lines[0], 'See [](methods.md).']
  return '<br>'.join(short)
