"""Files of PyTorch's tensors, written without PyTorch."""

import pathlib
from typing import Any

import numpy as np

from dd_jax.artifact import Artifact
from dd_jax.data import constants, torch_writer
from dd_jax.exports.place import new_folder
from dd_jax.types import UserError

_LEAST = 1e-30  # a probability whose logarithm is still a float32


def write_pt(held: Artifact, path: pathlib.Path) -> list[str]:
  """Writes one file, as DC, DSA and DM release sets and DC-BENCH reads them.

  A dict whose `data[-1]` is `[images, labels]`: float32 `[n, c, h, w]` under
  the set's own preprocessing, and class numbers int64 `[n]`. Beside it:
  `target`, float32 `[n, k]`, the labels as learned, and their
  `label_encoding`; `class_names`; `preprocessing`, `mean` and `std` per
  channel; `step_size` where one was learned.

  Args:
    held: the set.
    path: a new file.

  Raises:
    UserError: the file is there, or an image belongs to no single class.
  """
  if path.exists():
    raise UserError(f'{path}: is there already')
  data, own = held.data, held.preprocessing
  found: dict[str, Any] = {
    'data': [[channels_first(data.image), held.targets('classes')]],
    'target': np.asarray(data.label, np.float32),
    'label_encoding': held.label_encoding,
    'class_names': list(held.class_names),
    'preprocessing': own.name,
    'mean': np.asarray(own.mean),
    'std': np.asarray(own.std),
  }
  if data.step_size is not None:
    found['step_size'] = np.asarray(data.step_size)
  torch_writer.write(path, found)
  soft = 'note: the labels are soft: target has them, data the largest of each'
  return [_space(held), *([] if is_hard(held) else [soft])]


def write_ddranking(held: Artifact, folder: pathlib.Path) -> list[str]:
  """Writes `images.pt`, `labels.pt` and `lr.pt`, as DD-Ranking takes them.

  Images are under the constants that it has for the data (those of CIFAR-10 for
  CIFAR-100 too, those of ImageNet for all else), or whitened by `kornia`, for
  which its `use_zca` is meant. Hard labels are class numbers, others the
  logarithms of probabilities, which it wants as logits. There is an `lr.pt`
  where one step size was learned.

  Args:
    held: the set.
    folder: a new or an empty one.

  Raises:
    UserError: it can have no such images or labels, or the folder is in use.
  """
  image, told = _for_ddranking(held)
  found = {'images': channels_first(image), 'labels': _logits(held)}
  if held.data.step_size is not None and np.ndim(held.data.step_size) == 0:
    found['lr'] = np.asarray(held.data.step_size)
  with new_folder(folder) as made:
    for name, array in found.items():
      torch_writer.write(made / f'{name}.pt', array)
  return [told]


def channels_first(image: Any) -> np.ndarray:
  """Images as PyTorch has them: float32 `[n, c, h, w]`."""
  return np.asarray(image, np.float32).transpose(0, 3, 1, 2)


def is_hard(held: Artifact) -> bool:
  """Whether labels say no more than one class."""
  label = np.asarray(held.data.label)
  own = label == label.max(1, keepdims=True)
  return np.array_equal(label, np.where(own, label.max(), label.min()))


def _space(held: Artifact) -> str:
  """How real images come to meet those of the file."""
  own = held.preprocessing
  if own.zca is None and not own.unit_norm:
    return 'images: standardised by the mean and std that the file holds'
  return (
    f'note: images are under {own.name}; real ones must go through it too, and '
    'it is in the .npz alone'
  )


def _for_ddranking(held: Artifact) -> tuple[np.ndarray, str]:
  own, name = held.preprocessing, held.metadata.get('dataset', {}).get('name')
  if np.shape(held.data.image)[-1] != 3:
    raise UserError('--format=ddranking: it reads images of 3 channels')
  if own.name == 'kornia':
    return np.asarray(held.data.image), 'images: whitened; set its use_zca'
  if not own.per_channel or own.unit_norm:
    raise UserError(
      f'--format=ddranking: these images are under {own.name}; it reads '
      'images that are standardised per channel, or under kornia'
    )
  as_cifar = name in ('cifar10', 'cifar100')
  shared = constants.FIELD['cifar10' if as_cifar else 'tiny_imagenet']
  pixel = np.asarray(own.invert(held.data.image))
  told = f'images: standardised by {_listed(shared.mean)} / '
  image = (pixel - np.array(shared.mean)) / np.array(shared.std)
  return image, told + _listed(shared.std)


def _listed(numbers: tuple[float, ...]) -> str:
  return ', '.join(f'{x:g}' for x in numbers)


def _logits(held: Artifact) -> np.ndarray:
  if is_hard(held):
    return held.targets('classes')
  return np.log(np.maximum(held.targets('probabilities'), _LEAST))
