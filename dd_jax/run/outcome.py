"""What a run made, and how a program or a notebook is shown it."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dd_jax import report
from dd_jax.artifact import Artifact
from dd_jax.report import facts, formats

_FRAME = 720  # pixels of a notebook that a report takes

Rows = Sequence[Mapping[str, Any]]
"""As in a file of JSON lines."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Outcome:
  """What a run made; unpacks to its first two, `made, result = outcome`.

  Attributes:
    artifact: the distilled set.
    result: what `result.json` holds.
    metrics: rows of `metrics.jsonl`; of a run without a folder, `step` and
      `loss` alone.
    validation: rows of `validation.jsonl`.
  """

  artifact: Artifact
  result: dict[str, Any]
  metrics: Rows = ()
  validation: Rows = ()

  def __iter__(self) -> Iterator[Any]:
    """The artefact and the result."""
    return iter((self.artifact, self.result))

  def __repr__(self) -> str:
    """The headline, for a prompt."""
    score = formats.accuracy(facts.mapping(self.result.get('test_accuracy')))
    what = f'{facts.title(self.result)}: {score or "?"} %'
    return f'Outcome({what} under {facts.protocol(self.result)})'

  def report(self) -> str:
    """The page of `report.html`, as HTML."""
    made = self.artifact
    counts = facts.by_class(self.result)
    images = report.Images(
      made.image_uint8, made.start_image, made.class_names, counts
    )
    label = np.asarray(made.data.label)
    shown = report.Report(
      self.result, images, label, self.metrics, self.validation
    )
    return report.render(shown, alone=True)

  def _repr_html_(self) -> str:
    """The report, as a notebook shows it: framed, it scrolls."""
    title = facts.title(self.result)
    return report.framed(self.report(), title, _FRAME)
