"""Writes a distilled set for others to read.

dd-jax export --artifact=runs/mnist/distilled.npz --to=mnist_10
dd-jax export --artifact=mnist_10 --to=back.npz --like=runs/mnist/distilled.npz
dd-jax export --artifact=runs/mnist/distilled.npz --to=mnist_10.pt --format=pt

By default one PNG an image, a folder a class. Such a folder is read as a data
set, by dd_jax as by others. It holds what a picture can: 8 bits of every pixel
and one class for every image. The second command is the way back, to a set that
`dd-jax evaluate` scores: its classes and preprocessing are those of --like. The
other formats are for PyTorch, DD-Ranking, TensorFlow Datasets and Hugging
Face's datasets.
"""

import os
import pathlib

from absl import flags

from dd_jax import artifact
from dd_jax.data.shown import sentence
from dd_jax.exports import EXPORTS
from dd_jax.exports.tensors import is_hard
from dd_jax.run import command_line
from dd_jax.run.export import read_folder, write_folder
from dd_jax.types import UserError

FLAGS = command_line.new_flags()
_ARTIFACT = flags.DEFINE_string(
  'artifact',
  None,
  'A distilled.npz; or, with --like, a folder of its images.',
  flag_values=FLAGS,
)
_TO = flags.DEFINE_string(
  'to',
  None,
  'A new or an empty folder; with --like, a new .npz; of --format=pt, a new '
  'file.',
  flag_values=FLAGS,
)
_FORMAT = flags.DEFINE_enum(
  'format',
  'png',
  ['png', *EXPORTS],
  'What is written.',
  flag_values=FLAGS,
)
_LIKE = flags.DEFINE_string(
  'like',
  None,
  'A distilled.npz: makes a set of the folder --artifact, of its classes and '
  'under its preprocessing.',
  flag_values=FLAGS,
)


def export() -> None:
  """Writes what the flags name."""
  path, folder = command_line.needed(_ARTIFACT), command_line.needed(_TO)
  if _LIKE.value:
    _back(path, folder, _LIKE.value)
    return
  held = artifact.load(path)
  if _FORMAT.value != 'png':
    told = _for_others(held, folder)
    print('\n'.join([f'{len(held.data.label):,} images', *told]))
    print(f'written: {folder}')
    return
  written = write_folder(held, folder)
  print(f'{len(written):,} images in {len(held.class_names):,} classes')
  print(sentence(held.pixels._asdict()))
  if not is_hard(held):
    print('note: the labels are soft; each image counts for its largest')
  print(f'written: {folder}')


def _for_others(held: artifact.Artifact, to: str) -> list[str]:
  """Writes a format of `EXPORTS`; says what it does not hold."""
  try:
    return EXPORTS[_FORMAT.value](held, pathlib.Path(to))
  except OSError as error:  # it names a file on the way
    raise UserError(f'--to={to}: {error.strerror or error}') from None


def _back(folder: str, path: str, like: str) -> None:
  """Makes a set of a folder of images."""
  if os.path.exists(path) or not path.endswith('.npz'):
    raise UserError(f'--to={path}: with --like, must be a new .npz file')
  if not os.path.isdir(folder):
    raise UserError(f'--artifact={folder}: with --like, must be a folder')
  made = read_folder(folder, artifact.load(like))
  artifact.save(path, made)
  images, classes = made.data.label.shape
  print(f'{images:,} images in {classes:,} classes')
  print(f'written: {path}')


COMMAND = command_line.Command(
  'export', __doc__, FLAGS, export, takes_fields=False
)
