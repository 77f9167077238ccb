"""The data that a configuration names, and what a record says of them."""

import json
import os

from dd_jax.data import by_class, load
from dd_jax.data.dataset import Dataset
from dd_jax.data.depth import Range
from dd_jax.data.prepare import Prepared
from dd_jax.methods import baselines
from dd_jax.run import counts
from dd_jax.run.recipe import COMMON, Config
from dd_jax.types import UserError

_USUAL = {
  'mirror': '',
  'whole': 'auto',
  'labels': 'own',
  'teacher': COMMON['evaluation']['teacher'],
  'metrics': [],
  'metric_examples': 1000,
  'attack': 8.0,
}  # of `evaluation`
_FROM_REAL = ('real', 'kmeans', 'closed_form')  # starts


def load_dataset(config: Config) -> Dataset:
  """Loads what `config` names."""
  return load.load(
    config['dataset'],
    data_dir=config['data_dir'] or None,
    image_size=config['image_size'] or None,
    value_range=value_range(config),
    classes=config['classes'],
    validation=held_out(config),
    seed=config['seed'],
  )


def held_out(config: Config) -> float | None:
  """Validation examples: a count, a share below 1, or None for the default."""
  return config['validation'] or None


def value_range(config: Config) -> Range | None:
  """The stated values of black and white, or None.

  Raises:
    UserError: it is not two numbers.
  """
  given = config['range']
  if not given:
    return None
  try:
    low, high = map(float, given)
  except ValueError:
    raise UserError(
      f'--range={",".join(map(str, given))}: must be two numbers, LOW,HIGH'
    ) from None
  return low, high


def portable(config: Config) -> Config:
  """The configuration as JSON would give it back, files without folders.

  Fields of data of one's own, and of time, are left out where nothing is
  stated, and so are a free range, mirror images as protocols have them and the
  usual rule about the whole set, so that the records of all other runs stay as
  they are.
  """
  held: Config = json.loads(json.dumps(config))
  held['data_dir'] = ''
  if load.is_path(held['dataset']):
    held['dataset'] = os.path.basename(os.path.abspath(held['dataset']))
  store = held['experts']['store'].rstrip('/')
  held['experts']['store'] = os.path.basename(store)
  start = held['parameterization']['start']
  held['parameterization']['start'] = os.path.basename(start)
  held['preprocessing'] = os.path.basename(held['preprocessing'])
  if held['parameterization'].get('range') == 'free':
    del held['parameterization']['range']
  for field, usual in _USUAL.items():
    if held['evaluation'][field] == usual:
      del held['evaluation'][field]
  optional = ('range', 'classes', 'minutes', 'total', 'counts')
  return {k: v for k, v in held.items() if v or k not in optional}


def check_held_out(prepared: Prepared, reader: str) -> None:
  """Raises where nothing was held out for what reads validation images.

  Args:
    prepared: the data.
    reader: what reads them, and how to do without, for the message.
  """
  if not len(prepared.validation):
    raise UserError(
      f'{prepared.dataset.name} has no validation images, and every class '
      'keeps at least one of its images to train on: give more images of a '
      f'class or a test split of your own; {reader}'
    )


def notes(config: Config, prepared: Prepared) -> list[str]:
  """What was understood of a validation split, and where images are few."""
  return [*_held_out(config, prepared), *_few(config, prepared)]


def _held_out(config: Config, prepared: Prepared) -> list[str]:
  """How a stated validation split was taken: 1.0 is one image, 0.9 a share."""
  given = config['validation']
  if not given:
    return []
  held = len(prepared.validation)
  kind = f'a share of the {held + len(prepared.train):,} training images'
  return [
    f'validation={given:g}: taken as {kind if given < 1 else "a count"}, '
    f'{held:,} held out'
  ]


def _few(config: Config, prepared: Prepared) -> list[str]:
  """What is said where a class has fewer images than are asked for."""
  wanted = counts.per_class(config)
  names = prepared.dataset.class_names
  short = by_class.fewer(prepared.train, names, wanted)
  if not short:
    return []
  is_selection = config['method']['name'] in baselines()
  said = []
  if not is_selection and config['parameterization']['start'] in _FROM_REAL:
    said.append('the others start as copies with a tenth of noise')
  if is_selection or config['evaluation']['baselines']:
    said.append('selections of real images repeat theirs')
  if not said:
    return []
  return [f'{counts.told(config)}: only {short} to train on; {"; ".join(said)}']
