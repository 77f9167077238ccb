"""What a metric looks at, and what it finds."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import jax
import numpy as np

from dd_jax.data.preprocess import Preprocessing
from dd_jax.data.source import Source, classes
from dd_jax.evaluation.tester import Tester, source_answers
from dd_jax.types import Key, PyTree


class Pixels(NamedTuple):
  """Test examples before they are preprocessed.

  Attributes:
    image: uint8, or float32 in [0, 1], `[n, h, w, c]`.
    label: int `[n]`.
    preprocessing: what learners see them through.
  """

  image: np.ndarray
  label: np.ndarray
  preprocessing: Preprocessing


class Wanted(NamedTuple):
  """What is asked of learners beside their accuracy.

  Attributes:
    names: of metrics.
    pixels: what is attacked and corrupted.
    budget: of an attack, the largest change of a pixel in [0, 1].
  """

  names: tuple[str, ...]
  pixels: Pixels
  budget: float


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
  """Trained learners and real examples: what every metric is given.

  Attributes:
    tester: that fitted the learners.
    learners: leaves `[m, ...]`.
    test: all test examples, in model space.
    pixels: those that are attacked or corrupted.
    budget: of an attack, the largest change of a pixel in [0, 1].
    key: of all that is drawn.
  """

  tester: Tester
  learners: PyTree
  test: Source
  pixels: Pixels
  budget: float
  key: Key

  @functools.cached_property
  def answers(self) -> np.ndarray:
    """What the learners answer to `test`: float64 `[m, n, k]`."""
    found = self.tester.ask(source_answers, self.learners, self.test)
    return np.asarray(found, np.float64)

  @functools.cached_property
  def label(self) -> np.ndarray:
    """The classes of `test`, int `[n]`."""
    return np.asarray(classes(self.test))


class Measure(NamedTuple):
  """A metric of the learners of one score.

  Attributes:
    mean: over learners; None where an answer was not finite.
    std: sample standard deviation; None for a single learner.
    values: one for each learner.
    unit: '%' or 'nats'.
    about: how it was measured.
    levels: mean at each severity; empty where there are none.
  """

  mean: float | None
  std: float | None
  values: tuple[float | None, ...]
  unit: str
  about: str
  levels: tuple[float, ...] = ()


Metric: TypeAlias = Callable[[Case], Measure]


def measure(
  values: Sequence[float] | np.ndarray,
  unit: str,
  about: str,
  levels: Sequence[float] | np.ndarray = (),
) -> Measure:
  """Mean and deviation over learners, rounded as scores are.

  Args:
    values: one for each learner; what is not finite is told as None.
    unit: of the values.
    about: how they were measured.
    levels: mean at each severity.
  """
  found = np.asarray(values, np.float64)
  rounded = tuple(round(float(v), 4) if np.isfinite(v) else None for v in found)
  if None in rounded:
    return Measure(None, None, rounded, unit, about)
  std = round(float(found.std(ddof=1)), 4) if len(found) > 1 else None
  told = tuple(round(float(v), 4) for v in levels)
  return Measure(round(float(found.mean()), 4), std, rounded, unit, about, told)


def over(measures: Sequence[Measure]) -> Measure:
  """The same metric of several sets, their means as its values."""
  first = measures[0]
  means = [np.nan if m.mean is None else m.mean for m in measures]
  levels = np.mean([m.levels for m in measures], 0) if first.levels else ()
  return measure(means, first.unit, first.about, levels)


def log_softmax(answers: np.ndarray) -> np.ndarray:
  """Log-probabilities of logits `[..., k]`."""
  shifted = answers - answers.max(-1, keepdims=True)
  return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def one_hot(label: jax.Array, like: jax.Array) -> jax.Array:
  """`label [n]` in the shape and type of answers `[n, k]`."""
  return jax.nn.one_hot(label, like.shape[-1], dtype=like.dtype)
