"""What a reader found: arrays of any usual form, brought to one.

`layout` finds the channels, `depth` black and white, `numbering` the classes;
what they understood stands in the notes.
"""

from typing import Any, NamedTuple

import numpy as np

from dd_jax.data import check, depth, layout, numbering
from dd_jax.data.depth import Range


class Arrays(NamedTuple):
  """One split, on the host.

  Attributes:
    image: `[n, h, w, c]`, uint8, or float32 in [0, 1].
    label: int32 `[n]`, class numbers from 0.
  """

  image: np.ndarray
  label: np.ndarray


class Raw(NamedTuple):
  """What a reader found, before splits are held out.

  Attributes:
    name: the data set's name, never a path.
    train: the training examples.
    test: the test examples, or None where there is no such split.
    class_names: in label order, or None to call them by number.
    notes: one line each, things that a reader of results must know.
    value_range: what images were scaled from, or None where they were not.
  """

  name: str
  train: Arrays
  test: Arrays | None = None
  class_names: tuple[str, ...] | None = None
  notes: tuple[str, ...] = ()
  value_range: Range | None = None


class Given(NamedTuple):
  """Images and labels as they were given, and how messages name them.

  Attributes:
    image: `[n, h, w]`, `[n, h, w, c]` or `[n, c, h, w]`, of any numbers.
    label: `[n]`, `[n, 1]` or one-hot `[n, k]`; see `numbering`.
    image_name: such as `x_train`.
    label_name: such as `y_train`.
  """

  image: Any
  label: Any
  image_name: str
  label_name: str


def read(
  where: str,
  train: Given,
  test: Given | None = None,
  class_names: tuple[str, ...] | None = None,
  value_range: Range | None = None,
) -> Raw:
  """Checks what was given and brings it to the common form.

  Args:
    where: the name of the data set or file, for messages.
    train: the training examples.
    test: the test examples, or None.
    class_names: in label order, or None.
    value_range: the values of black and of white; by default found.

  Raises:
    UserError: what cannot be understood, or not in one way alone.
  """
  given = [train] if test is None else [train, test]
  images, told = _images(where, given)
  black = depth.scaled(f'{where}: {train.image_name}', images, value_range)
  kinds = numbering.numbered(
    [(f'{where}: {g.label_name}', g.label) for g in given], class_names
  )
  splits = [
    Arrays(x, y) for x, y in zip(black.images, kinds.labels, strict=True)
  ]
  for split, g in zip(splits, given, strict=True):
    check.same_length(
      where, g.image_name, split.image, g.label_name, split.label
    )
  notes = (*told, *black.notes, *kinds.notes)
  return Raw(
    where,
    splits[0],
    None if test is None else splits[1],
    kinds.names,
    tuple(note.removeprefix(f'{where}: ') for note in notes),
    black.range,
  )


def _images(
  where: str, given: list[Given]
) -> tuple[list[np.ndarray], tuple[str, ...]]:
  """Images with their channels last, and what was said of the first split."""
  found = [
    layout.channels_last(
      f'{where}: {g.image_name}',
      check.numbers(f'{where}: {g.image_name}', g.image),
    )
    for g in given
  ]
  images = [image for image, _ in found]
  check.same_kind(where, [g.image_name for g in given], images)
  return images, found[0][1]
