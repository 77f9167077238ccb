"""`python -m experiments.export` is `dd-jax export`, in a checkout."""

from dd_jax.run import command_line
from dd_jax.run.commands.export import COMMAND

if __name__ == '__main__':
  command_line.run(COMMAND)
