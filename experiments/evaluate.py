"""`python -m experiments.evaluate` is `dd-jax evaluate`, in a checkout."""

from dd_jax.run import command_line
from dd_jax.run.commands.evaluate import COMMAND

if __name__ == '__main__':
  command_line.run(COMMAND)
