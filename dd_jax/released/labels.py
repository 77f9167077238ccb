"""What the labels of a file are, which the file does not say."""

import numpy as np
from scipy import special

from dd_jax.checks import check_name
from dd_jax.types import UserError

KINDS = {
  'class-major': 'none: images stand class after class, as many of each',
  'ids': 'class numbers from 0, [n]',
  'probabilities': '0 and more, every row sums to 1',
  'logits': 'any numbers, whose softmax is meant',
  'centred': 'any numbers, for squared error: one-hot ones minus 1/k at first',
}
"""By name: what they are."""
_CLOSE = 1e-3


def read(
  kind: str, found: np.ndarray | None, images: int, classes: int
) -> tuple[np.ndarray, str]:
  """The labels of a set, and their encoding in an artefact.

  Args:
    kind: one of `KINDS`; '' where the file leaves no doubt.
    found: what the file holds: `[n]`, `[n, k]`, or None.
    images: `n`.
    classes: `k`.

  Returns:
    float32 `[n, k]`, and `one-hot` or `centred`.

  Raises:
    UserError: they must be named, or are not what was named.
  """
  kind = kind or _beyond_doubt(found)
  check_name('--labels', kind, KINDS)
  if kind == 'class-major':
    return _class_major(found, images, classes), 'one-hot'
  if found is None:
    raise UserError(
      f'--labels={kind}: the file holds none; allowed is class-major'
    )
  wanted = (images,) if kind == 'ids' else (images, classes)
  held = found.reshape(-1) if kind == 'ids' else found
  if held.shape != wanted:
    raise UserError(
      f'--labels={kind}: those of the file are {list(found.shape)}, for '
      f'{images} images and {classes} classes; must be {list(wanted)}'
    )
  if not np.all(np.isfinite(held)):
    raise UserError(f'--labels={kind}: some in the file are not finite')
  if kind == 'ids':
    return _of_ids(held, classes), 'one-hot'
  held = held.astype(np.float64)
  if kind == 'logits':
    held = special.softmax(held, -1)
  if kind == 'probabilities':
    _check_probabilities(held)
  encoding = 'centred' if kind == 'centred' else 'one-hot'
  return held.astype(np.float32), encoding


def _beyond_doubt(found: np.ndarray | None) -> str:
  if found is not None and found.ndim == 1:
    return 'ids'
  raise UserError(
    '--labels: missing; the file does not say what its labels are; allowed '
    + ', '.join(f'{kind} ({what})' for kind, what in KINDS.items())
  )


def _class_major(
  found: np.ndarray | None, images: int, classes: int
) -> np.ndarray:
  if found is not None:
    raise UserError('--labels=class-major: the file holds labels of its own')
  if images % classes:
    raise UserError(
      f'--labels=class-major: {images} images are no equal number of each of '
      f'{classes} classes'
    )
  number = np.repeat(np.arange(classes), images // classes)
  return np.eye(classes, dtype=np.float32)[number]


def _of_ids(held: np.ndarray, classes: int) -> np.ndarray:
  number = held.astype(np.int64)
  if np.any(number != held) or np.any((number < 0) | (number >= classes)):
    raise UserError(
      f'--labels=ids: those of the file go from {held.min():g} to '
      f'{held.max():g}; must be whole numbers from 0 to {classes - 1}'
    )
  return np.eye(classes, dtype=np.float32)[number]


def _check_probabilities(held: np.ndarray) -> None:
  sums = held.sum(-1)
  if held.min() < -_CLOSE or np.any(np.abs(sums - 1) > _CLOSE):
    raise UserError(
      f'--labels=probabilities: those of the file lie from {held.min():.4g} to '
      f'{held.max():.4g}, their rows sum to {sums.min():.4g} to '
      f'{sums.max():.4g}; logits and centred are others'
    )
