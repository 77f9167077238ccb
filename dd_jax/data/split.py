"""Stratified hold-out splits: who stays and who is held out, by seed."""

import numpy as np

from dd_jax.types import UserError

VALIDATION_FRACTION = 1 / 10
VALIDATION_LIMIT = 5000


def validation_count(
  label: np.ndarray, num_classes: int, validation: int | float | None
) -> int:
  """How many examples to hold out for validation.

  Args:
    label: integer `[n]`.
    num_classes: `k`.
    validation: a count, a fraction below 1, or None for a tenth, at most
      5,000, at least one of each class.

  Raises:
    UserError: no such number, a fraction of not one example, or more than
      leaves one of each class to train on.
  """
  n, most = len(label), len(label) - num_classes
  if validation is None:
    return max(num_classes, min(VALIDATION_LIMIT, int(VALIDATION_FRACTION * n)))
  share = 0 < validation < 1
  count = round(validation * n) if share else validation
  if not share <= count <= most or count != int(count):
    gives = f' gives {count:,} of {n:,} images;' if share else ''
    raise UserError(
      f'validation={validation}:{gives} must be a count from 0 to {most:,} '
      '(every class keeps one image), or a fraction between 0 and 1 that gives '
      'at least one'
    )
  return int(count)


def hold_out(
  label: np.ndarray, num_classes: int, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
  """Splits example numbers in two, each class in proportion.

  A class gives at least one where `count` allows it, and keeps at least one.

  Args:
    label: integer `[n]`.
    num_classes: `k`.
    count: how many to hold out; fewer are where classes are too small.
    seed: any non-negative integer.

  Returns:
    `(kept, held)`: ascending example numbers; together all of them, once.
  """
  # RandomState's streams are frozen by NumPy's policy; Generator's are not.
  order = np.random.RandomState(seed).permutation(len(label))
  share = _shares(np.bincount(label, minlength=num_classes), count)
  held = np.zeros(len(label), bool)
  for c in range(num_classes):
    held[order[label[order] == c][: share[c]]] = True
  return np.flatnonzero(~held), np.flatnonzero(held)


def _shares(size: np.ndarray, count: int) -> np.ndarray:
  """How many of each class, by the largest remainder within its limits."""
  most = np.maximum(size - 1, 0)
  count = min(count, int(most.sum()))
  quota = size * (count / max(1, size.sum()))
  share = np.minimum(np.floor(quota).astype(int), most)
  if count >= np.count_nonzero(most):
    share = np.maximum(share, np.minimum(most, 1))
  while share.sum() != count:
    step = 1 if share.sum() < count else -1
    # Only classes that can move: below their limit, or above one.
    open_ = share < most if step > 0 else share > 1
    gap = np.where(open_, step * (quota - share), -np.inf)
    share[np.argmax(gap)] += step
  return share
