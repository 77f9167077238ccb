"""Pictures, learning curves and one page that show what a run made."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dd_jax.files import write_atomically
from dd_jax.report import curves, facts, labels, page, pictures
from dd_jax.report.document import framed
from dd_jax.report.gallery import Images
from dd_jax.report.labels import matrix as label_matrix
from dd_jax.report.page import Report, render, render_set
from dd_jax.report.pictures import grid, side_by_side, write_png

__all__ = [
  'Images',
  'Report',
  'framed',
  'grid',
  'label_matrix',
  'render',
  'render_set',
  'side_by_side',
  'write_png',
  'write_report',
]


def write_report(
  workdir: Path | str,
  result: Mapping[str, Any],
  image: np.ndarray,
  start_image: np.ndarray | None,
  label: np.ndarray,
  class_names: Sequence[str],
  metrics: Sequence[Mapping[str, Any]],
  validation: Sequence[Mapping[str, Any]],
) -> list[Path]:
  """Writes distilled.png, labels.png, curves.svg and report.html.

  Each file appears whole or not at all.

  Args:
    workdir: an existing folder.
    result: as in result.json. Missing fields are left out of the page.
    image: uint8 `[n, h, w, c]`: the distilled images, class-major.
    start_image: uint8 `[n, h, w, c]`: what they started from, or None.
    label: float `[n, k]`.
    class_names: k names, in label order.
    metrics: rows of metrics.jsonl (`step`, `loss`).
    validation: rows of validation.jsonl (`step`, `accuracy` in percent).

  Returns:
    The four paths.

  Raises:
    UserError: the disk is full.
    OSError: the folder is missing or not writable.
  """
  folder, names = Path(workdir), tuple(map(str, class_names))
  start = None if start_image is None else np.asarray(start_image)
  counts = facts.by_class(result)
  images = Images(np.asarray(image), start, names, counts)
  report = Report(result, images, np.asarray(label), metrics, validation)
  drawn = pictures.overview(images.image, start, names, counts)
  drawn_labels = labels.picture(report.label, names, counts)
  svg = curves.standalone(page.curve_charts(report))
  files = {
    'distilled.png': pictures.encode(drawn, 'exact'),
    'labels.png': pictures.encode(drawn_labels, 'exact'),
    'curves.svg': svg.encode(),
    'report.html': render(report).encode(),
  }
  for name, content in files.items():
    write_atomically(folder / name, content)
  return [folder / name for name in files]
