"""A distilled set in the formats that others read.

| format | what | read by |
|---|---|---|
| `png` | a folder for each class, an image a file | anything |
| `pt` | one file: images, classes, labels, constants | PyTorch, DC-BENCH |
| `ddranking` | `images.pt`, `labels.pt`, `lr.pt` | DD-Ranking |
| `tfds` | a prepared builder | TensorFlow Datasets |
| `huggingface` | Parquet and a card | `datasets` |
"""

import pathlib
from collections.abc import Callable

from dd_jax.artifact import Artifact
from dd_jax.exports.huggingface import write_huggingface
from dd_jax.exports.tensors import write_ddranking, write_pt
from dd_jax.exports.tfds import write_tfds

Export = Callable[[Artifact, pathlib.Path], list[str]]
"""`(set, a new place) -> lines that say what the format does not hold`."""

EXPORTS: dict[str, Export] = {
  'pt': write_pt,
  'ddranking': write_ddranking,
  'tfds': write_tfds,
  'huggingface': write_huggingface,
}
"""By name, but for `png`, which `run.export` writes and reads."""

__all__ = ['EXPORTS', 'Export']
