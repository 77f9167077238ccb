"""Which arrays of a file are images, labels and class names, by their keys."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dd_jax.data import numbering, raw
from dd_jax.data.depth import Range
from dd_jax.data.raw import Given
from dd_jax.types import UserError

_PAIRS = (
  ('x', 'y'),
  ('images', 'labels'),
  ('image', 'label'),
  ('data', 'target'),
  ('data', 'labels'),
)
_NAMES = ('class_names', 'label_names', 'target_names')
_TRAIN = ('train',)
_TEST = ('test', 'val', 'valid', 'validation')  # the first that there is
_EXPECTED = (
  'expected x_train, y_train and, where there is a test split, x_test, y_test; '
  'or images and labels, x and y, data and target, alone or by split'
)

Pair = tuple[str, str]
"""The keys of images and of labels."""


class Keys(NamedTuple):
  """The keys of a file that are read.

  Attributes:
    train: of images and labels.
    test: the same, or None.
    names: of the class names, or None.
    notes: what was chosen and what is left.
  """

  train: Pair
  test: Pair | None
  names: str | None
  notes: tuple[str, ...]

  @property
  def all(self) -> tuple[str, ...]:
    """Every key to read."""
    names = () if self.names is None else (self.names,)
    return (*self.train, *(self.test or ()), *names)


def choose(where: str, keys: Sequence[str]) -> Keys:
  """Chooses among the keys of a file, in capitals or not.

  A split stands before or after: `x_train` or `train_images`; one pair without
  a split is training data. `x_train, y_train` need no note.

  Args:
    where: the file, for messages.
    keys: all that it holds.

  Raises:
    UserError: images or labels are missing, or there are several of them.
  """
  trains = _pairs(where, keys, _TRAIN) or _pairs(where, keys, ())
  if not trains:
    raise UserError(
      f'{where} has no {_missing(keys)}; it holds '
      f'{", ".join(sorted(keys)[:8]) or "nothing"}; {_EXPECTED}'
    )
  tests = _pairs(where, keys, _TEST)
  if not tests:
    _check_no_half(where, keys)
  test = next(iter(tests.values()), None)
  train = next(iter(trains.values()))
  named = [k for k in keys if k.lower() in _NAMES]
  if len(named) > 1:
    raise UserError(f'{where} has {" and ".join(named)}; give one of them')
  found = Keys(train, test, next(iter(named), None), ())
  return found._replace(notes=_notes(found, tests, keys))


def read(
  where: str,
  keys: Keys,
  found: Mapping[str, np.ndarray],
  value_range: Range | None = None,
) -> raw.Raw:
  """Reads the arrays `found` under `keys`; see `raw.read`.

  Args:
    where: the file; its name is that of the set.
    keys: as `choose` gives them.
    found: at least the arrays of `keys`.
    value_range: the values of black and of white; by default found.

  Raises:
    UserError: what is wrong with them.
  """
  train, test = _given(keys.train, found), None
  if keys.test is not None:
    test = _given(keys.test, found)
  names = None if keys.names is None else _names(where, keys.names, found)
  made = raw.read(where, train, test, names, value_range)
  return made._replace(
    name=os.path.splitext(os.path.basename(where))[0],
    notes=(*keys.notes, *made.notes),
  )


def _given(pair: Pair, found: Mapping[str, Any]) -> Given:
  image, label = pair
  return Given(found[image], found[label], image, label)


def _pairs(
  where: str, keys: Sequence[str], splits: Sequence[str]
) -> dict[str, Pair]:
  """By split, the one pair of it; by '' that without a split."""
  given = {k.lower(): k for k in keys}
  found: dict[str, Pair] = {}
  for split in splits or ('',):
    pairs = [(x, y) for x, y in _spelled(split) if x in given and y in given]
    if len(pairs) > 1:
      text = ', or '.join(f'{given[x]} and {given[y]}' for x, y in pairs)
      raise UserError(f'{where} may mean {text}; keep one pair of each split')
    for x, y in pairs:
      found[split] = given[x], given[y]
  return found


def _spelled(split: str) -> list[Pair]:
  """Every pair of keys that would be that split."""
  if not split:
    return list(_PAIRS)
  after = [(f'{x}_{split}', f'{y}_{split}') for x, y in _PAIRS]
  return after + [(f'{split}_{x}', f'{split}_{y}') for x, y in _PAIRS]


def _check_no_half(where: str, keys: Sequence[str]) -> None:
  """Raises where one half of a test split is given alone."""
  lower = [k.lower() for k in keys]
  for x, y in _spelled('test'):
    if (x in lower) != (y in lower):
      given, missing = (x, y) if x in lower else (y, x)
      raise UserError(
        f'{where} has {given} but no {missing}; give both or none'
      )


def _missing(keys: Sequence[str]) -> str:
  """The key that makes a pair of one that is there, or else `x_train`."""
  lower = [k.lower() for k in keys]
  for x, y in _spelled('train') + _spelled(''):
    if (x in lower) != (y in lower):
      return y if x in lower else x
  return 'x_train'


def _notes(
  found: Keys, tests: Mapping[str, Pair], keys: Sequence[str]
) -> tuple[str, ...]:
  notes = []
  if found.train != ('x_train', 'y_train'):
    notes.append('{} are the images, {} the labels'.format(*found.train))
  if found.test and 'test' not in tests:
    notes.append('{} and {} serve as the test split'.format(*found.test))
  left = sorted(set(keys) - set(found.all))
  if left:
    verb = 'is' if len(left) == 1 else 'are'
    notes.append(f'{", ".join(left)} {verb} not used')
  return tuple(notes)


def _names(where: str, key: str, found: Mapping[str, Any]) -> tuple[str, ...]:
  names = numbering.text(f'{where}: {key}', np.asarray(found[key]))
  if names.ndim != 1 or names.dtype.kind != 'U':
    raise UserError(f'{where}: {key} must be one row of text')
  return tuple(str(n) for n in names)
