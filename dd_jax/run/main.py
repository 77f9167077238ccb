"""`dd-jax COMMAND`, and `python -m dd_jax COMMAND` the same."""

import importlib
import sys

from dd_jax.checks import check_name
from dd_jax.run import command_line, help_text

COMMANDS = {
  'distill': 'distil a data set, and score what came out',
  'evaluate': 'score a distilled set under named protocols',
  'experts': 'train expert trajectories into a folder',
  'export': 'write a distilled set as image files',
}
"""What each is for; its module in `commands` has its name."""


def main() -> None:
  """Runs the command that the first argument names."""
  command_line.ends_in_a_line(lambda: _main(sys.argv[1:]))


def _main(given: list[str]) -> None:
  first = given[0] if given else '--help'
  if command_line.asks_for_help([first]):
    print(help_text.of_program(COMMANDS))
  elif first == '--version':
    print(command_line.version())
  else:
    check_name('command', first, COMMANDS)
    command_line.run(load(first), given[1:])


def load(name: str) -> command_line.Command:
  """The command of that name."""
  module = importlib.import_module(f'dd_jax.run.commands.{name}')
  command: command_line.Command = module.COMMAND
  return command
