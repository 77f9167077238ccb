"""What arrays must look like; each breach is one `UserError` line."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dd_jax.types import UserError

_MAX_CLASSES = 1_000_000
_FEW = 12
_CHUNK = 4096


def numbers(where: str, image: Any) -> np.ndarray:
  """Checks that images are an array of real numbers, and returns that array.

  Raises:
    UserError: Python objects (images of unequal size), text, complex numbers,
      or NaN or infinite pixels.
  """
  image = np.asarray(image)
  if image.dtype == object:
    raise UserError(
      f'{where} is no rectangular array of numbers; images must share one size'
    )
  if image.dtype.kind not in 'buif':
    raise UserError(
      f'{where} has type {image.dtype}; images must be numbers: uint8 (0 to '
      '255), floats in [0, 1], or others, which are scaled'
    )
  _finite(where, image)
  return image


def image_rank(where: str, image: np.ndarray) -> None:
  """Raises where an array is none of images, or holds none."""
  if image.ndim not in (3, 4):
    raise UserError(
      f'{where} has shape {image.shape}; images must be N x H x W, '
      'N x H x W x C or N x C x H x W'
    )
  if image.size == 0:
    raise UserError(f'{where} has shape {image.shape}: it holds no images')


def labels(where: str, label: Any) -> np.ndarray:
  """Checks class numbers `[n]` or `[n, 1]` and returns them as int32 `[n]`.

  Raises:
    UserError: no integers, another shape, or out of range.
  """
  label = np.asarray(label)
  if not np.issubdtype(label.dtype, np.integer):
    raise UserError(
      f'{where} has type {label.dtype}; labels must be integers 0 to k-1'
    )
  if label.ndim == 2 and label.shape[1] == 1:
    label = label[:, 0]
  if label.ndim != 1:
    raise UserError(
      f'{where} has shape {label.shape}; labels must be one class number for '
      'each image, N or N x 1'
    )
  low, high = label.min(initial=0), label.max(initial=0)
  if low < 0 or high >= _MAX_CLASSES:
    raise UserError(
      f'{where} holds {low if low < 0 else high}; labels must be integers 0 to '
      'k-1, one for each class'
    )
  return label.astype(np.int32)


def pair(where: str, x_name: str, x: Any, y_name: str, y: Any) -> None:
  """Raises where only one of images and labels is given."""
  if (x is None) != (y is None):
    given, missing = (x_name, y_name) if y is None else (y_name, x_name)
    raise UserError(f'{where} has {given} but no {missing}; give both or none')


def same_length(
  where: str, x_name: str, x: np.ndarray, y_name: str, y: np.ndarray
) -> None:
  """Raises where there is not one label for each image."""
  if len(x) != len(y):
    raise UserError(
      f'{where}: {x_name} holds {len(x):,} images and {y_name} {len(y):,} '
      'labels; there must be one label for each image'
    )


def same_kind(
  where: str, names: Sequence[str], images: Sequence[np.ndarray]
) -> None:
  """Raises where splits differ in the size or in the type of their images."""
  kinds = [f'{n} is {_kind(x)}' for n, x in zip(names, images, strict=True)]
  sizes = {x.shape[1:] for x in images}
  # Floats of any width are the same numbers.
  types = {'float' if x.dtype.kind == 'f' else x.dtype for x in images}
  if len(sizes) > 1 or len(types) > 1:
    raise UserError(
      f'{where}: {" and ".join(kinds)}; both must have the same size and type'
    )


def num_classes(where: str, train: Any) -> int:
  """Counts the classes of `train.label`: the largest label and one.

  Raises:
    UserError: there is only one class.
  """
  k = int(train.label.max()) + 1
  if k < 2:
    raise UserError(f'{where} has one class only; at least two are needed')
  return k


def classes(
  where: str,
  train: np.ndarray,
  test: np.ndarray | None,
  names: tuple[str, ...],
) -> None:
  """Raises where labels exceed the classes or a class has no images."""
  k = len(names)
  for split, label in (('training', train), ('test', test)):
    if label is not None and label.max() >= k:
      raise UserError(
        f'{where}: a {split} label is {label.max()}; with {k} classes labels '
        f'must be 0 to {k - 1}'
      )
  count = np.bincount(train, minlength=k)
  empty = np.flatnonzero(count == 0)
  if empty.size:
    hint = _classes_there([names[c] for c in np.flatnonzero(count)])
    others = f' (nor have {empty.size - 1:,} others)' if empty.size > 1 else ''
    raise UserError(
      f'{where}: class {names[empty[0]]!r} of {k:,} has no training images'
      f'{others}; every class from 0 to the largest label needs some{hint}'
    )


def no_class_lost(
  where: str, label: np.ndarray, names: tuple[str, ...]
) -> None:
  """Raises where nothing of a class is left to train on."""
  if len(np.unique(label)) < len(names):
    raise UserError(f'{where}: a class has no images left to train on')


def enough_for_test(where: str, count: int) -> None:
  """Raises where no test example could be held out."""
  if count == 0:
    raise UserError(
      f'{where} has one image of each class; at least two are needed to hold '
      'out a test split'
    )


def _classes_there(names: list[str]) -> str:
  """How to take the classes that have images alone."""
  if not 2 <= len(names) <= _FEW:
    return ', or choose classes with --classes=NAME,NAME'
  return f', or take those that have with --classes={",".join(names)}'


def _finite(where: str, image: np.ndarray) -> None:
  if image.dtype.kind != 'f' or not image.ndim:
    return
  for start in range(0, len(image), _CHUNK):
    if not np.isfinite(image[start : start + _CHUNK]).all():
      raise UserError(f'{where} holds NaN or infinite pixels')


def _kind(image: np.ndarray) -> str:
  return f'{" x ".join(map(str, image.shape[1:]))} {image.dtype}'
