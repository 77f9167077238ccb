"""The commands of `dd-jax`, a file for each, imported when it is asked for."""

import importlib

from dd_jax.run.command_line import Command

COMMANDS = {
  'distill': 'distil a data set, and score what came out',
  'evaluate': 'score a distilled set under named protocols',
  'experts': 'train expert trajectories into a folder',
  'compare': 'set runs side by side, and say which differences are noise',
  'rank': 'say whether a set ranks architectures as all data do',
  'suite': 'distil and score a grid of sets, methods and seeds, cell by cell',
  'convert': 'make an artefact of a set that others distilled',
  'export': 'write a distilled set as image files',
  'list': 'say what there is: methods, recipes, protocols, fields ...',
  'doctor': 'say what is installed, and whether it works',
  'completion': 'print a script that has the shell complete commands',
}
"""What each is for; its module here has its name."""


def load(name: str) -> Command:
  """The command of that name, one of `COMMANDS`."""
  module = importlib.import_module(f'dd_jax.run.commands.{name}')
  command: Command = module.COMMAND
  return command
