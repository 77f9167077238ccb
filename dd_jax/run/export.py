"""A distilled set as image files, which any tool reads, and back."""

import os
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.artifact import Artifact
from dd_jax.data import folder as folders
from dd_jax.data.labels import label_encoding
from dd_jax.data.raw import Raw
from dd_jax.exports.place import check_new
from dd_jax.report.pictures import write_png
from dd_jax.types import DistilledData, UserError

# Of the metadata, what is true of any set for the same learners.
_KEPT = (
  'class_names',
  'label_encoding',
  'preprocessing',
  'dataset',
  'config',
  'ipc',
  'seed',
)


def write_folder(
  held: Artifact, folder: str | pathlib.Path
) -> list[pathlib.Path]:
  """Writes `FOLDER/CLASS/NUMBER.png`, which is read as a data set too.

  A file holds what `image_uint8` shows: 8 bits a channel, in units of the data,
  clipped or rescaled as `held.pixels` says. What is learned beside the pixels,
  soft labels and step sizes, has no place in a folder.

  Args:
    held: the set.
    folder: a new or an empty one.

  Returns:
    The files, in the order of the images.

  Raises:
    UserError: the folder is in use, a class name cannot name a folder, or an
      image belongs to no single class.
  """
  folder, label = pathlib.Path(folder), held.targets('classes')
  _check(folder, held.class_names)
  for name in held.class_names:
    (folder / name).mkdir(parents=True)
  digits = len(str(len(label) - 1))
  paths = [
    folder / held.class_names[c] / f'{i:0{digits}d}.png'
    for i, c in enumerate(label)
  ]
  for path, image in zip(paths, held.image_uint8, strict=True):
    grey = image.shape[-1] == 1
    write_png(path, image[..., 0] if grey else image)
  return paths


def read_folder(folder: str | os.PathLike[str], like: Artifact) -> Artifact:
  """A set of the images in `FOLDER/CLASS/`, as `write_folder` writes them.

  It is class-major, in the order of the files, and each image belongs to its
  class alone.

  Args:
    folder: with a folder for each class of `like`.
    like: whose classes, preprocessing and scoring it gets.

  Raises:
    UserError: the classes or the size of the images are others.
  """
  found = folders.read(os.fspath(folder))
  image, label = _class_by_class(folder, found, like.class_names)
  shape, expected = image.shape[1:], like.data.image.shape[1:]
  if shape != expected:
    raise UserError(
      f'{folder}: its images are {_size(shape)}; must be {_size(expected)}'
    )
  one_hot = jax.nn.one_hot(label, len(like.class_names))
  code = label_encoding(like.label_encoding)
  learned = like.preprocessing.apply(jnp.asarray(image)), code.encode(one_hot)
  data = DistilledData(*map(np.asarray, learned))  # type: ignore[arg-type]
  kept = {k: v for k, v in like.metadata.items() if k in _KEPT}
  return Artifact(data, like.preprocessing, None, {'method': 'folder', **kept})


def _class_by_class(
  folder: str | os.PathLike[str], found: Raw, names: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
  """Images and labels in the order of `names`, whatever that of the folder."""
  own = found.class_names or ()
  if set(own) != set(names):
    raise UserError(
      f'{folder}: its classes are {", ".join(own)}; must be {", ".join(names)}'
    )
  label = np.array([names.index(name) for name in own])[found.train.label]
  order = np.argsort(label, kind='stable')
  return found.train.image[order], label[order]


def _size(shape: tuple[int, ...]) -> str:
  return ' x '.join(map(str, shape))


def _check(folder: pathlib.Path, names: tuple[str, ...]) -> None:
  check_new(folder)
  for name in names:
    plain = name and name == pathlib.PurePath(name).name
    if not plain or name.startswith(('.', '_')):  # hidden ones are not read
      raise UserError(
        f'class_names: {name!r} cannot name a folder; rename it, as in '
        "set.metadata['class_names']"
      )
