"""What settings are refused for, in one wording."""

from dd_jax.types import UserError


def check_least(least: float, **values: float) -> None:
  """Refuses the settings, given by name, that are below `least`.

  Raises:
    UserError: names the setting, its value and what is allowed.
  """
  for name, value in values.items():
    if not value >= least:
      raise UserError(f'{name}={value}: allowed are {least} and more')


def check_positive(**values: float) -> None:
  """Refuses the settings, given by name, that are not above 0.

  Raises:
    UserError: names the setting, its value and what is allowed.
  """
  for name, value in values.items():
    if not value > 0:
      raise UserError(f'{name}={value}: must be above 0')
