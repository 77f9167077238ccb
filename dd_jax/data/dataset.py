"""A loaded data set: three splits of images and labels, and their origin."""

import hashlib
from typing import Any, NamedTuple

import numpy as np

from dd_jax.data import check, split

TEST_SEED = 0
TEST_FRACTION = 1 / 6


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
  """

  name: str
  train: Arrays
  test: Arrays | None = None
  class_names: tuple[str, ...] | None = None
  notes: tuple[str, ...] = ()


class Dataset(NamedTuple):
  """A data set, ready to be prepared.

  Attributes:
    name: the data set's name, never a path.
    train: what methods learn from.
    validation: held out of the training examples; what runs select by.
    test: looked at once, at the end.
    class_names: in label order.
    provenance: plain values for the record: `name`, `counts`, `sha256` (see
      `checksum`), `validation` (`count` and `seed`) and `notes`.
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
  validation: int | float | None = None,
  seed: int = 0,
) -> Dataset:
  """Makes a data set of arrays in memory.

  Args:
    x_train: `[n, h, w]` or `[n, h, w, c]` with 1 or 3 channels: uint8, or
      floats in [0, 1].
    y_train: integer class numbers from 0, `[n]` or `[n, 1]`.
    x_test: like `x_train`. Without it a sixth of the training examples is held
      out, the same for every `seed`.
    y_test: like `y_train`.
    name: how results call the set.
    class_names: in label order; by default their numbers.
    validation: see `assemble`.
    seed: chooses the validation examples.

  Raises:
    UserError: what is wrong with the arrays, in one line.
  """
  raw = read_arrays(name, x_train, y_train, x_test, y_test, class_names)
  return assemble(raw, validation=validation, seed=seed)


def read_arrays(
  where: str,
  x_train: Any,
  y_train: Any,
  x_test: Any = None,
  y_test: Any = None,
  class_names: tuple[str, ...] | None = None,
) -> Raw:
  """Checks arrays and brings them to the common layout; see `from_arrays`."""
  check.pair(where, 'x_test', x_test, 'y_test', y_test)
  train = Arrays(
    check.images(f'{where}: x_train', x_train),
    check.labels(f'{where}: y_train', y_train),
  )
  check.same_length(where, 'x_train', train.image, 'y_train', train.label)
  test = None
  if x_test is not None:
    test = Arrays(
      check.images(f'{where}: x_test', x_test),
      check.labels(f'{where}: y_test', y_test),
    )
    check.same_length(where, 'x_test', test.image, 'y_test', test.label)
    check.same_kind(where, train.image, test.image)
  return Raw(where, train, test, class_names)


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
  provenance = {
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
  return Dataset(raw.name, train, val, test, names, provenance)


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
