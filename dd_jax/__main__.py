"""`python -m dd_jax COMMAND`."""

from dd_jax.run.main import main

if __name__ == '__main__':
  main()
