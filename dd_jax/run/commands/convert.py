r"""Makes an artefact of a set that others distilled, so that it can be scored.

  dd-jax convert --file=res_DM_CIFAR10.pt --config=published/dm:cifar10,10 \
      --space=field --to=dm.npz
  dd-jax evaluate --artifact=dm.npz

Read are `.pt` files of tensors (without PyTorch, and nothing in them is run),
`.npz` with images and labels, and `.png` grids. What a file cannot say is said
here: the recipe that it comes closest to, the space of its pixels, what its
labels are.
"""

import hashlib
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from dd_jax import artifact
from dd_jax.artifact import Artifact
from dd_jax.cache import Cache
from dd_jax.data import fitting
from dd_jax.data.dataset import Dataset
from dd_jax.data.prepare import fitted
from dd_jax.data.raw import Arrays
from dd_jax.data.shown import sentence
from dd_jax.released import files, grid, labels
from dd_jax.run import command_line, loading, recipe, settings
from dd_jax.run.commands import data_flags
from dd_jax.run.packaged import known
from dd_jax.types import DistilledData, UserError

_PIXELS = 'pixels'
_FAR = 4.0  # a factor by which distilled and real images may differ in spread

command_line.load_parts()
FLAGS = command_line.new_flags()
_FILE = flags.DEFINE_string(
  'file', None, 'The set: .pt, .npz or .png.', flag_values=FLAGS
)
_LABEL_FILE = flags.DEFINE_string(
  'label_file', None, 'A .pt of its labels alone.', flag_values=FLAGS
)
_TO = flags.DEFINE_string(
  'to', None, 'The artefact, an .npz that is not there yet.', flag_values=FLAGS
)
_CONFIG = flags.DEFINE_string(
  'config',
  None,
  'The recipe that it comes closest to, such as published/dm:cifar10,10: names '
  'the data, the protocol, the ridge.',
  flag_values=FLAGS,
)
_METHOD = flags.DEFINE_string(
  'method', None, 'Instead of --config.', flag_values=FLAGS
)
_DATASET = flags.DEFINE_string(
  'dataset', None, 'Instead of --config, or of its data.', flag_values=FLAGS
)
_of_data = data_flags.define(FLAGS)
_SPACE = flags.DEFINE_enum(
  'space',
  None,
  [_PIXELS, *fitting.NAMES],
  'What the numbers are: pixels of 0 to 1 (or 0 to 255 in 8 bits), or a '
  'preprocessing of them. A picture has pixels.',
  flag_values=FLAGS,
)
_LABELS = flags.DEFINE_enum(
  'labels',
  '',
  ['', *labels.KINDS],
  'What the labels are; one for each image is an id beyond doubt.',
  flag_values=FLAGS,
)
_STEP_SIZE = flags.DEFINE_float(
  'step_size',
  None,
  'The learned step size that belongs to the set (MTT and its kin).',
  lower_bound=0.0,
  flag_values=FLAGS,
)
_PADDING = flags.DEFINE_integer(
  'padding',
  grid.PADDING,
  'Pixels around the tiles of a .png.',
  lower_bound=0,
  flag_values=FLAGS,
)


def convert(fields: dict[str, str]) -> None:
  """Converts what the flags name."""
  path, to = command_line.needed(_FILE), command_line.needed(_TO)
  if pathlib.Path(to).exists():
    raise UserError(f'--to={to}: is there already')
  config = _configuration(fields)
  dataset = _with_validation(loading.load_dataset(config))
  found = files.read(
    path,
    dataset.image_shape,
    label_path=_LABEL_FILE.value,
    padding=_PADDING.value,
  )
  label, encoding = labels.read(
    _LABELS.value, found.label, len(found.image), dataset.num_classes
  )
  space = _space(found)
  if space != _PIXELS:
    config['preprocessing'] = space
  preprocessing = fitted(dataset, config['preprocessing'], Cache())
  image = jnp.asarray(found.image)
  if space == _PIXELS:
    image = preprocessing.apply(image)
  config['label_encoding'] = encoding
  config['ipc'] = max(1, len(image) // dataset.num_classes)
  made = Artifact(
    DistilledData(image, jnp.asarray(label), step_size=_step_size()),
    preprocessing,
    None,
    {**known(config, dataset, preprocessing), 'released': _released(path)},
  )
  artifact.save(to, made)
  _tell(made, dataset, space)
  print(f'written: {to}')


def _configuration(fields: dict[str, str]) -> recipe.Config:
  if not (_CONFIG.value or _DATASET.value):
    raise UserError('--dataset: missing; name the data that it was made from')
  named = {'dataset': _DATASET.value, 'method': _METHOD.value}
  given = {**data_flags.stated(named), **_of_data()}
  if not (_CONFIG.value or _METHOD.value):
    given['method'] = 'random'  # what is scored as a plain set of images
  return settings.configuration(_CONFIG.value, given, fields)


def _with_validation(dataset: Dataset) -> Dataset:
  """Those who made the set held nothing out of what they fitted to."""
  train, held = dataset.train, dataset.validation
  joined = (np.concatenate(pair) for pair in zip(train, held, strict=True))
  return dataset._replace(train=Arrays(*joined))


def _space(found: files.Released) -> str:
  """That of the images: as given, or as a picture has it."""
  picture = found.image.dtype == np.uint8
  space = _SPACE.value or (_PIXELS if picture else '')
  if not space:
    raise UserError(
      '--space: missing; the file does not say what its numbers are; allowed '
      f'are {", ".join([_PIXELS, *fitting.NAMES])}'
    )
  if picture and space != _PIXELS:
    raise UserError(f'--space={space}: numbers of 8 bits are pixels')
  if space == _PIXELS and not picture and np.abs(found.image).max() > 2:
    raise UserError(
      f'--space=pixels: the numbers go from {found.image.min():.4g} to '
      f'{found.image.max():.4g}; pixels go from 0 to 1, or are 8 bits'
    )
  return space


def _step_size() -> jax.Array | None:
  return None if _STEP_SIZE.value is None else jnp.float32(_STEP_SIZE.value)


def _released(path: str) -> dict[str, str]:
  """What the artefact says of the file that it was made of."""
  file = pathlib.Path(path)
  digest = hashlib.sha256(file.read_bytes()).hexdigest()
  return {'file': file.name, 'sha256': digest}


def _tell(made: Artifact, dataset: Dataset, space: str) -> None:
  """What was understood, and what looks wrong with it."""
  number = np.bincount(made.targets('classes'), minlength=dataset.num_classes)
  few, many = int(number.min()), int(number.max())
  each = f'{few} to {many}' if few < many else f'{many}'
  print(
    f'{number.sum():,} images, {each} of each class; {made.label_encoding} '
    f'labels; --space={space}'
  )
  print(f'classes in this order: {", ".join(dataset.class_names[:10])}')
  print(sentence(made.pixels._asdict()))
  real = made.preprocessing.apply(jnp.asarray(dataset.train.image[:1000]))
  own, theirs = float(np.std(made.data.image)), float(np.std(real))
  if not 1 / _FAR < own / theirs < _FAR:
    print(
      f'warning: the images deviate by {own:.3g}, real ones there by '
      f'{theirs:.3g}: --space={space} may be wrong'
    )


COMMAND = command_line.Command('convert', __doc__, FLAGS, convert)
