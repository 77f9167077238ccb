"""`python -m experiments.suite` is `dd-jax suite`, in a checkout."""

from dd_jax.run import command_line
from dd_jax.run.commands.suite import COMMAND

if __name__ == '__main__':
  command_line.run(COMMAND)
