"""A distilled set as image files, for tools that read nothing else."""

import pathlib

from dd_jax.artifact import Artifact
from dd_jax.report.pictures import write_png
from dd_jax.types import UserError


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


def _check(folder: pathlib.Path, names: tuple[str, ...]) -> None:
  if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
    raise UserError(f'{folder}: must be a new or an empty folder')
  for name in names:
    plain = name and name == pathlib.PurePath(name).name
    if not plain or name.startswith(('.', '_')):  # hidden ones are not read
      raise UserError(
        f'class_names: {name!r} cannot name a folder; rename it, as in '
        "set.metadata['class_names']"
      )
