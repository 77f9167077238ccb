"""`python -m experiments.compare` is `dd-jax compare`, in a checkout."""

from dd_jax.run import command_line
from dd_jax.run.commands.compare import COMMAND

if __name__ == '__main__':
  command_line.run(COMMAND)
