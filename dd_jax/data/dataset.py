"""A loaded data set: three splits of images and labels, and their origin."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dd_jax.data import check, choice, depth, split
from dd_jax.data import raw as raws
from dd_jax.data.raw import Arrays, Given, Raw

TEST_SEED = 0
TEST_FRACTION = 1 / 6


class Dataset(NamedTuple):
  """A data set, ready to be prepared.

  Attributes:
    name: the data set's name, never a path.
    train: what methods learn from.
    validation: held out of the training examples; what runs select by.
    test: looked at once, at the end.
    class_names: in label order.
    provenance: plain values for the record: `name`, `counts`, `sha256` (see
      `checksum`), `validation` (`count` and `seed`), `notes` and, where images
      were scaled, `range`.
  """

  name: str
  train: Arrays
  validation: Arrays
  test: Arrays
  class_names: tuple[str, ...]
  provenance: dict[str, Any]

  @property
  def num_classes(self) -> int:
    """`k`."""
    return len(self.class_names)

  @property
  def image_shape(self) -> tuple[int, int, int]:
    """`(h, w, c)`."""
    h, w, c = self.train.image.shape[1:]
    return h, w, c


def from_arrays(
  x_train: Any,
  y_train: Any,
  x_test: Any = None,
  y_test: Any = None,
  *,
  name: str = 'arrays',
  class_names: tuple[str, ...] | None = None,
  value_range: depth.Range | None = None,
  classes: Sequence[str] = (),
  validation: int | float | None = None,
  seed: int = 0,
) -> Dataset:
  """Makes a data set of arrays in memory.

  Args:
    x_train: `[n, h, w]`, `[n, h, w, c]` or `[n, c, h, w]`: uint8, floats in
      [0, 1], or other numbers, which are scaled.
    y_train: class numbers from 0, `[n]` or `[n, 1]`; or text, whose sorted
      names are the classes; or one-hot rows `[n, k]`.
    x_test: like `x_train`. Without it a sixth of the training examples is held
      out, the same for every `seed`.
    y_test: like `y_train`.
    name: how results call the set.
    class_names: in label order; by default their numbers.
    value_range: the values of black and of white; by default found.
    classes: takes these alone, in this order; see `choice`.
    validation: see `assemble`.
    seed: chooses the validation examples.

  Raises:
    UserError: what is wrong with the arrays, in one line.
  """
  depth.check(value_range)
  found = read_arrays(
    name, x_train, y_train, x_test, y_test, class_names, value_range
  )
  chosen = choice.only(found, classes)
  return assemble(chosen, validation=validation, seed=seed)


def read_arrays(
  where: str,
  x_train: Any,
  y_train: Any,
  x_test: Any = None,
  y_test: Any = None,
  class_names: tuple[str, ...] | None = None,
  value_range: depth.Range | None = None,
) -> Raw:
  """Checks arrays and brings them to the common layout; see `from_arrays`."""
  check.pair(where, 'x_test', x_test, 'y_test', y_test)
  train = Given(x_train, y_train, 'x_train', 'y_train')
  test = None
  if x_test is not None:
    test = Given(x_test, y_test, 'x_test', 'y_test')
  return raws.read(where, train, test, class_names, value_range)


def assemble(
  raw: Raw, *, validation: int | float | None = None, seed: int = 0
) -> Dataset:
  """Holds out a validation split, and a test split where there is none.

  Both are stratified. The test split is the same whatever the seed, so that
  runs stay comparable.

  Args:
    raw: what was read.
    validation: a count, or a fraction below 1 of the training examples; by
      default a tenth, at most 5,000, and at least one of each class.
    seed: chooses the validation examples.

  Raises:
    UserError: a class without training images, labels out of range, or a
      validation split that would leave a class without any.
  """
  names = _class_names(raw)
  check.classes(raw.name, raw.train.label, raw.test and raw.test.label, names)
  digest = checksum(raw)
  full, test, notes = _with_test(raw, len(names))
  count = split.validation_count(full.label, len(names), validation)
  kept, held = split.hold_out(full.label, len(names), count, seed)
  check.no_class_lost(raw.name, full.label[kept], names)
  train, val = _subset(full, kept), _subset(full, held)
  provenance: dict[str, Any] = {
    'name': raw.name,
    'counts': {
      'train': len(train.label),
      'validation': len(val.label),
      'test': len(test.label),
    },
    'sha256': digest,
    'validation': {'count': len(val.label), 'seed': seed},
    'notes': notes,
  }
  if raw.value_range is not None:
    provenance['range'] = list(raw.value_range)
  return Dataset(raw.name, train, val, test, names, provenance)


def described(dataset: Dataset) -> str:
  """How many images each split has, in all and of a class, as one line."""
  parts = [
    f'{len(arrays.label):,} {what}{_of_each(arrays.label, dataset.class_names)}'
    for what, arrays in (
      ('training images', dataset.train),
      ('for validation', dataset.validation),
      ('for the test', dataset.test),
    )
  ]
  return f'{dataset.name}: {", ".join(parts)}'


def checksum(raw: Raw) -> str:
  """SHA-256 over the arrays as read, in hexadecimal.

  Of `image` then `label`, of `train` then `test` (where there is one): the
  dtype and the shape as text, then the bytes in C order, little-endian.
  """
  digest = hashlib.sha256()
  for arrays in (raw.train, raw.test):
    for array in arrays or ():
      little = array.astype(array.dtype.newbyteorder('<'), copy=False)
      digest.update(f'{array.dtype.name}{list(array.shape)}'.encode())
      digest.update(np.ascontiguousarray(little).data)
  return digest.hexdigest()


def _of_each(label: np.ndarray, names: tuple[str, ...]) -> str:
  """The images of a class, or the fewest and the most by name."""
  if not label.size:
    return ''
  count = np.bincount(label, minlength=len(names))
  few, many = int(count.argmin()), int(count.argmax())
  if count[few] == count[many]:
    return f' ({count[few]:,} of each class)'
  return (
    f' ({count[few]:,} of {names[few]!r} to {count[many]:,} of {names[many]!r})'
  )


def _class_names(raw: Raw) -> tuple[str, ...]:
  if raw.class_names is not None:
    return tuple(raw.class_names)
  return tuple(str(c) for c in range(check.num_classes(raw.name, raw.train)))


def _with_test(raw: Raw, num_classes: int) -> tuple[Arrays, Arrays, list[str]]:
  notes = list(raw.notes)
  if raw.test is not None:
    return raw.train, raw.test, notes
  count = max(num_classes, round(TEST_FRACTION * len(raw.train.label)))
  kept, held = split.hold_out(raw.train.label, num_classes, count, TEST_SEED)
  check.enough_for_test(raw.name, len(held))
  notes.append(
    f'no official test split: {len(held):,} of {len(raw.train.label):,} '
    'examples held out, the same for every seed'
  )
  return _subset(raw.train, kept), _subset(raw.train, held), notes


def _subset(arrays: Arrays, index: np.ndarray) -> Arrays:
  return Arrays(arrays.image[index], arrays.label[index])
