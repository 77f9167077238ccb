"""`python -m experiments.experts` is `dd-jax experts`, in a checkout."""

from dd_jax.run import command_line
from dd_jax.run.commands.experts import COMMAND

if __name__ == '__main__':
  command_line.run(COMMAND)
