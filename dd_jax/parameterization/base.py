"""The protocol of a parameterization: how few numbers become many images."""

from collections.abc import Callable
from typing import NamedTuple

import jax

from dd_jax.data.source import Source
from dd_jax.training import Model
from dd_jax.types import Key, LabeledData, Metrics, PyTree, UserError

DERIVED = 'derived'
"""Constants under this key follow from the others, or from the shapes.

They need not be shipped with a set, and its budget does not count them.
"""


def _same(params: PyTree) -> PyTree:
  return params


class Adversary(NamedTuple):
  """A second network that plays against what is learned (HaBa).

  Attributes:
    init: `(key) -> Model`; untrained.
    penalty: `(key, model, data) -> (scalar, metrics)`, added to the loss.
    advance: `(key, model, data) -> (Model, metrics)`: its own step.
  """

  init: Callable[[Key], Model]
  penalty: Callable[[Key, Model, LabeledData], tuple[jax.Array, Metrics]]
  advance: Callable[[Key, Model, LabeledData], tuple[Model, Metrics]]


class Parameterization(NamedTuple):
  """What is learned, and how it becomes a support set.

  Attributes:
    init: `(key, source) -> (params, constants)`; not traced; may read data. The
      outer optimiser moves `params`; `constants` stay.
    decode: `(params, constants) -> LabeledData`, class-major: it reshapes to
      `[classes, per_class, ...]` where it is even.
    plain: images are stored as they are: there is nothing to decode.
    note: a line that the user and the report are told, or ''.
    adversary: of the images, or None.
    project: `params -> params` that are allowed, after each step of the outer
      optimiser.
    in_range: its images are kept within the range of real ones.
    even: it holds as many images of each class.
  """

  init: Callable[[Key, Source], tuple[PyTree, PyTree]]
  decode: Callable[[PyTree, PyTree], LabeledData]
  plain: bool = False
  note: str = ''
  adversary: Adversary | None = None
  project: Callable[[PyTree], PyTree] = _same
  in_range: bool = False
  even: bool = True


def check_even(parameterization: Parameterization) -> None:
  """Refuses a set that cannot be compared class by class.

  Raises:
    UserError: it may hold more images of one class than of another.
  """
  if not parameterization.even:
    raise UserError(
      'parameterization: has not as many images of each class; this method '
      'compares class by class and needs as many: kip, frepo or mtt do not'
    )


def shipped(constants: PyTree) -> PyTree:
  """`constants` without what is derived, at any depth of dicts."""
  if not isinstance(constants, dict):
    return constants
  return {k: shipped(v) for k, v in constants.items() if k != DERIVED}
