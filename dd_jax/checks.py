"""What settings are refused for, in one wording."""

import difflib
from collections.abc import Collection

from dd_jax.types import UserError


def check_name(field: str, name: str, allowed: Collection[str]) -> None:
  """Refuses a name that is not one of `allowed`.

  Raises:
    UserError: naming the nearest right one.
  """
  if name not in allowed:
    near = difflib.get_close_matches(name, allowed, 1)
    hint = f' (did you mean {near[0]}?)' if near else ''
    raise UserError(
      f'{field}={name!r}: unknown{hint}; allowed are {", ".join(allowed)}'
    )


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
