"""`dd-jax COMMAND`, and `python -m dd_jax COMMAND` the same."""

import sys

from dd_jax.checks import check_name
from dd_jax.run import command_line, help_text
from dd_jax.run.commands import COMMANDS, load


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
