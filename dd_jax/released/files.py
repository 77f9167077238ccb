"""Images and labels from the files in which others released distilled sets.

| file | written by |
|---|---|
| `.pt`: `{'data': [[images, labels], ...]}`, of which the last | DC, DSA, DM |
| `.pt`: `[images, labels]` | IDC |
| `.pt`: images, and another one of labels | MTT, FTD, TESLA, DATM, DataDAM |
| `.npz` with `images` and `labels` | KIP, RFAD |
| `.png`: a grid of tiles | DC, DC-BENCH, MTT |
"""

import os
from typing import Any, NamedTuple

import numpy as np

from dd_jax.data import torch_file
from dd_jax.files import ARCHIVE, kind, reason
from dd_jax.released import grid
from dd_jax.types import UserError


class Released(NamedTuple):
  """What a file holds.

  Attributes:
    image: `[n, h, w, c]`: uint8 of a picture, else float32.
    label: as they are, or None.
  """

  image: np.ndarray
  label: np.ndarray | None


def read(
  path: str,
  shape: tuple[int, int, int],
  *,
  label_path: str | None = None,
  padding: int = grid.PADDING,
) -> Released:
  """Reads a distilled set.

  Args:
    path: one of the files above.
    shape: `(h, w, c)` of an image; the file may have channels first.
    label_path: another file, of the labels.
    padding: of a grid; see `grid.read`.

  Raises:
    UserError: the file is none of these, or its images have another shape.
  """
  if not os.path.isfile(path):
    raise UserError(f'{path}: there is no such file')
  image, label = _images(path, shape, padding)
  if label_path is not None:
    if label is not None:
      raise UserError(f'--label_file={label_path}: {path} holds labels already')
    label = _alone(label_path, torch_file.read(label_path))
  return Released(_channels_last(path, image, shape), label)


def _images(
  path: str, shape: tuple[int, int, int], padding: int
) -> tuple[np.ndarray, np.ndarray | None]:
  if path.endswith('.png'):
    return grid.read(path, shape, padding), None
  if path.endswith('.npz'):
    return _of_archive(path)
  if path.endswith(('.pt', '.pth')):
    return _of_tensors(path, torch_file.read(path))
  raise UserError(
    f'{path}: read are .pt, .npz with images and labels, and .png'
  )


def _of_archive(path: str) -> tuple[np.ndarray, np.ndarray | None]:
  try:
    with np.load(path, allow_pickle=False) as file:
      held = {k: file[k] for k in ('images', 'labels') if k in file.files}
      names = file.files
  except Exception as error:  # damaged archives raise almost anything
    what = kind(path)
    what = reason(error) if what == ARCHIVE else f'is {what}'
    raise UserError(f'{path}: not a readable .npz ({what})') from None
  if 'metadata' in names:
    raise UserError(f'{path}: is an artefact already; evaluate reads it')
  if 'images' not in held:
    raise UserError(
      f'{path}: holds {", ".join(names)}; expected images and labels'
    )
  return held['images'], held.get('labels')


def _of_tensors(path: str, found: Any) -> tuple[np.ndarray, np.ndarray | None]:
  if isinstance(found, dict) and 'data' in found:
    found = found['data']
  if isinstance(found, list | tuple) and found:
    if isinstance(found[-1], list | tuple):
      found = found[-1]  # of several runs, the last
    if len(found) == 2 and all(isinstance(a, np.ndarray) for a in found):
      return found[0], found[1]
  return _alone(path, found), None


def _alone(path: str, found: Any) -> np.ndarray:
  if isinstance(found, np.ndarray):
    return found
  raise UserError(
    f'{path}: holds {_what(found)}; expected a tensor, a pair of images and '
    "labels, or such pairs under 'data'"
  )


def _what(found: Any) -> str:
  if isinstance(found, dict):
    return f'a dict of {", ".join(map(repr, list(found)[:6]))}'
  if isinstance(found, list | tuple):
    return f'a {type(found).__name__} of {len(found)}'
  return f'a {type(found).__name__}'


def _channels_last(
  path: str, image: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
  height, width, channels = shape
  if image.ndim == 4 and image.shape[1:] == (channels, height, width):
    image = image.transpose(0, 2, 3, 1)
  if image.ndim != 4 or image.shape[1:] != shape or not len(image):
    raise UserError(
      f'{path}: its images are {list(image.shape)}; those of the data are '
      f'{height} x {width} x {channels}'
    )
  if image.dtype == np.uint8:
    return image
  if not np.all(np.isfinite(image)):
    raise UserError(f'{path}: some pixels are not finite')
  return image.astype(np.float32)
