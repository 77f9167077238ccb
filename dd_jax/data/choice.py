"""A part of the classes of a data set, as a data set of its own."""

from collections.abc import Sequence

import numpy as np

from dd_jax.checks import check_name
from dd_jax.data.raw import Arrays, Raw
from dd_jax.types import UserError


def only(raw: Raw, classes: Sequence[str]) -> Raw:
  """Keeps the named classes, which become 0 to k - 1 in the order given.

  Args:
    raw: what was read; its labels may be any class numbers.
    classes: by name, or by number where no class is called so; none for all.
      One text is split at its commas.

  Raises:
    UserError: an unknown class, one named twice, or one alone.
  """
  if not classes:
    return raw
  if isinstance(classes, str):
    classes = classes.split(',')
  names = _names(raw)
  wanted = [_number(str(c), names) for c in classes]
  text = ','.join(map(str, classes))
  if len(wanted) < 2 or len(set(wanted)) < len(wanted):
    raise UserError(f'classes={text}: must be two or more different classes')
  train = _kept(raw.train, wanted)
  note = (
    f'classes={text}: {len(wanted)} classes taken alone, with '
    f'{len(train.label):,} of {len(raw.train.label):,} training images'
  )
  return raw._replace(
    train=train,
    test=raw.test and _kept(raw.test, wanted),
    class_names=tuple(names[i] for i in wanted),
    notes=(*raw.notes, note),
  )


def _names(raw: Raw) -> tuple[str, ...]:
  if raw.class_names is not None:
    return raw.class_names
  return tuple(str(c) for c in range(int(raw.train.label.max()) + 1))


def _number(name: str, names: tuple[str, ...]) -> int:
  if name not in names and name.isdecimal() and int(name) < len(names):
    return int(name)
  check_name('classes', name, names)
  return names.index(name)


def _kept(arrays: Arrays, wanted: Sequence[int]) -> Arrays:
  """The examples of these classes in their order, numbered anew."""
  index = np.flatnonzero(np.isin(arrays.label, wanted))
  number = np.full(1 + max(*wanted, int(arrays.label.max())), -1, np.int32)
  number[np.asarray(wanted)] = np.arange(len(wanted))
  return Arrays(arrays.image[index], number[arrays.label[index]])
