"""`python -m experiments.rank` is `dd-jax rank`, in a checkout."""

from dd_jax.run import command_line
from dd_jax.run.commands.rank import COMMAND

if __name__ == '__main__':
  command_line.run(COMMAND)
