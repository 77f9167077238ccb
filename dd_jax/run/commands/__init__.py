"""The commands of `dd-jax`, a file for each, imported when it is asked for."""
