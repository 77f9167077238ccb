"""Two sets meet by the names of their classes, not by their numbers."""

from collections.abc import Sequence

import numpy as np

from dd_jax.data.dataset import Dataset
from dd_jax.data.raw import Arrays
from dd_jax.types import UserError

_SHOWN = 5  # names of a refusal


def in_order(dataset: Dataset, names: Sequence[str]) -> Dataset:
  """`dataset` with its classes numbered in the order of `names`.

  Where one of the two has numbers alone for names, they are the same numbers;
  where that is not all there is to compare, a note says so.

  Args:
    dataset: whose labels are numbered anew, where that is needed.
    names: of the other set's classes, in label order.

  Raises:
    UserError: the two do not have the same classes.
  """
  own, wanted = dataset.class_names, tuple(names)
  if own == wanted:
    return dataset
  if len(own) == len(wanted) and (_numbers(own) or _numbers(wanted)):
    return _noted(
      dataset,
      'one of the two sets does not name its classes: taken to be in one order',
    )
  if sorted(own) != sorted(wanted):
    raise UserError(
      f'its classes are {_few(own)}, those of the artefact {_few(wanted)}; '
      f'must be the same, by name{way_out(dataset, wanted)}'
    )
  number = np.asarray([wanted.index(name) for name in own], np.int32)
  permuted = dataset._replace(
    train=_numbered(dataset.train, number),
    validation=_numbered(dataset.validation, number),
    test=_numbered(dataset.test, number),
    class_names=wanted,
  )
  return _noted(
    permuted,
    'classes numbered as in the artefact, by their names: '
    f'{_few(wanted)} (here {_few(own)})',
    class_order=list(wanted),
  )


def _numbers(names: tuple[str, ...]) -> bool:
  """Whether classes are called by their numbers, which says nothing."""
  return names == tuple(map(str, range(len(names))))


def _numbered(arrays: Arrays, number: np.ndarray) -> Arrays:
  return arrays._replace(label=number[arrays.label].astype(arrays.label.dtype))


def _noted(dataset: Dataset, note: str, **more: object) -> Dataset:
  found = {**dataset.provenance, **more}
  found['notes'] = [*found['notes'], note]
  return dataset._replace(provenance=found)


def way_out(dataset: Dataset, names: Sequence[str]) -> str:
  """How to take the classes called `names` alone; '' where some are missing."""
  if not set(names) < set(dataset.class_names):
    return ''
  return f'; --classes={",".join(names)} takes these alone'


def _few(names: tuple[str, ...]) -> str:
  rest = f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''
  return ', '.join(map(repr, names[:_SHOWN])) + rest
