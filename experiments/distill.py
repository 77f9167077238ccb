"""`python -m experiments.distill` is `dd-jax distill`, in a checkout."""

from dd_jax.run import command_line
from dd_jax.run.commands.distill import COMMAND

if __name__ == '__main__':
  command_line.run(COMMAND)
