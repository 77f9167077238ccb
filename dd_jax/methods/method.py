"""What a method is registered as."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from dd_jax.distiller import Distiller


class Method(NamedTuple):
  """A method that can be named.

  Attributes:
    factory: makes the distiller. Parameters called after a part
      (`parameterization`, `kernel`, `network`, `optimizer`, ...) get that part
      of the configuration, built; the others are the method's settings, and
      their defaults are the schema.
    recipe: the paper's choice of parts, over `recipe.COMMON`.
    summary: one line for `--help`.
  """

  factory: Callable[..., Distiller]
  recipe: Mapping[str, Any]
  summary: str
