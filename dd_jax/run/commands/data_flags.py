"""The flags that say how data are read, the same for every command."""

from collections.abc import Callable, Mapping
from typing import Any

from absl import flags

flags.disclaim_key_flags()  # they are those of the command that asks
_SIZES = (2, 4096)  # pixels


def define(
  values: flags.FlagValues, *, resized: bool = True
) -> Callable[[], dict[str, Any]]:
  """Defines them, and gives a function for those that were given, by field.

  Args:
    values: of a command.
    resized: whether images can be scaled too.
  """
  known: list[flags.FlagHolder] = [
    flags.DEFINE_list(
      'range',
      None,
      'LOW,HIGH: the values of black and of white, of images of 12 bits such '
      'as 0,4095. Default: found, and said.',
      flag_values=values,
    ),
    flags.DEFINE_list(
      'classes',
      None,
      'Takes these classes alone, in this order, by name or number.',
      flag_values=values,
    ),
    flags.DEFINE_string(
      'data_dir',
      None,
      "Where TFDS keeps its data. Default: TFDS's own.",
      flag_values=values,
    ),
  ]
  if resized:
    size = flags.DEFINE_integer(
      'image_size',
      None,
      'Scale the shorter side to this many pixels and crop the centre.',
      *_SIZES,
      flag_values=values,
    )
    known.append(size)
  return lambda: stated({flag.name: flag.value for flag in known})


def stated(values: Mapping[str, Any]) -> dict[str, Any]:
  """Those that are not None."""
  return {k: v for k, v in values.items() if v is not None}
