"""A set as the rows of a table, and what a card says of it."""

import json
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dd_jax.artifact import Artifact
from dd_jax.report.pictures import encode

COLUMNS = """\
- `image`: what the picture shows, 8 bits a channel
- `label`: the class
- `pixels`: float32, the image in units of the data, whose pixels are 0 to 1
- `target`: float32, the label as learned, a number for each class"""
"""What the columns of a table are."""


class Row(NamedTuple):
  """One image.

  Attributes:
    image: a PNG.
    label: its class.
    pixels: float32 `[h, w, c]`, in units of the data, not clipped.
    target: float32 `[k]`, the label as the artefact has it.
  """

  image: bytes
  label: int
  pixels: np.ndarray
  target: np.ndarray


def rows(held: Artifact) -> Iterator[Row]:
  """The images of a set, in order.

  Raises:
    UserError: an image belongs to no single class.
  """
  number, shown = held.targets('classes'), held.image_uint8
  pixel = np.asarray(held.preprocessing.invert(held.data.image), np.float32)
  target = np.asarray(held.data.label, np.float32)
  for i, picture in enumerate(shown):
    grey = picture.shape[-1] == 1
    png = encode(picture[..., 0] if grey else picture, 'exact')
    yield Row(png, int(number[i]), pixel[i], target[i])


def about(held: Artifact) -> str:
  """What a card says of the set, as Markdown."""
  known, own, data = held.metadata, held.preprocessing, held.data
  sizes = data.step_size
  said = {
    'data': known.get('dataset', {}).get('name'),
    'method': known.get('method'),
    'images': len(data.image),
    'image shape': list(np.shape(data.image)[1:]),
    'label encoding': held.label_encoding,
    'loss': held.loss,
    'preprocessing': own.name,
    'mean': np.asarray(own.mean).tolist(),
    'std': np.asarray(own.std).tolist(),
    'step size': None if sizes is None else np.asarray(sizes).tolist(),
  }
  lines = [f'- {k}: {json.dumps(v)}' for k, v in said.items() if v is not None]
  return '\n'.join(['A distilled set.', '', *lines, '', COLUMNS])


def notes(held: Artifact) -> list[str]:
  """What a table of pixels does not hold."""
  if held.preprocessing.per_channel:
    return []
  return [
    f'note: learners of this set see it under {held.preprocessing.name}, '
    'which is in the .npz alone'
  ]
