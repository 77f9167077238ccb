"""The protocol of a parameterization: how few numbers become many images."""

from collections.abc import Callable
from typing import NamedTuple

from dd_jax.data.source import Source
from dd_jax.types import Key, LabeledData, PyTree


class Parameterization(NamedTuple):
  """What is learned, and how it becomes a support set.

  Attributes:
    init: `(key, source) -> (params, constants)`; not traced; may read data. The
      outer optimiser moves `params`; `constants` stay.
    decode: `(params, constants) -> LabeledData`, class-major: it reshapes to
      `[classes, per_class, ...]`.
  """

  init: Callable[[Key, Source], tuple[PyTree, PyTree]]
  decode: Callable[[PyTree, PyTree], LabeledData]
