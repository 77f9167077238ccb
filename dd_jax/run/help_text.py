"""What `--help` prints: 80 columns, the command's own flags first."""

import textwrap
from collections.abc import Mapping, Sequence

from absl import flags

_WIDTH = 80
_INDENT = 18  # of what a flag is for


def of_program(commands: Mapping[str, str]) -> str:
  """The help of `dd-jax` itself.

  Args:
    commands: what each is for, by name.
  """
  rows = [f'  {name:<12}{what}' for name, what in commands.items()]
  return '\n'.join(
    [
      'usage: dd-jax COMMAND [FLAGS]',
      '',
      'Distils a data set to a few synthetic images per class.',
      '',
      *rows,
      '',
      'dd-jax COMMAND --help tells of one; dd-jax --version of this program.',
      'With no flags, dd-jax distill distils the embedded digits.',
    ]
  )


def of_command(
  name: str,
  about: str,
  operands: Sequence[str],
  known: Sequence[flags.Flag],
) -> str:
  """The help of one command.

  Args:
    name: after `dd-jax`.
    about: printed as it is, but for its indentation.
    operands: what may be given besides flags.
    known: its flags, in the order in which they are told.
  """
  usage = ['usage: dd-jax', name, *(f'[{x}]' for x in operands), '[FLAGS]']
  out = [' '.join(usage), '', about.strip(), '', 'flags:']
  for flag in known:
    out += _entry(_shown(flag), flag.help or '')
  out += _entry('-h, --help', 'Print this.')
  out += _entry('--version', 'Print the version.')
  return '\n'.join(out)


def _shown(flag: flags.Flag) -> str:
  if flag.boolean:
    return f'--[no]{flag.name}'
  return f'--{flag.name}='


def _entry(head: str, text: str) -> list[str]:
  """A flag and what it is for, which begins on its line where there is room."""
  lines = [
    line
    for paragraph in text.splitlines()
    for line in textwrap.wrap(
      paragraph, _WIDTH - _INDENT, break_on_hyphens=False
    )
  ]
  if len(head) + 4 > _INDENT:
    return [f'  {head}', *(' ' * _INDENT + line for line in lines)]
  first, *rest = lines or ['']
  start = f'  {head}'.ljust(_INDENT) + first
  return [start.rstrip(), *(' ' * _INDENT + line for line in rest)]
