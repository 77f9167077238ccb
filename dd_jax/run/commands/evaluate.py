r"""Scores a distilled set under named protocols.

  dd-jax evaluate --artifact=runs/mnist/distilled.npz \
      --dataset=mnist --protocols=dc,krr-ntk --learners=5

What no flag changes is as in the run that made the set.
"""

import os
from typing import Any

from absl import flags

from dd_jax import artifact
from dd_jax.cache import Cache
from dd_jax.data import labels, targets
from dd_jax.data.dataset import Dataset
from dd_jax.data.prepare import prepare
from dd_jax.files import write_json
from dd_jax.run import (
  command_line,
  invariances,
  limits,
  loading,
  memory,
  recipe,
  record,
  registries,
  settings,
)
from dd_jax.run.commands import data_flags
from dd_jax.run.interrupt import interruptible
from dd_jax.run.scoring import Scorer
from dd_jax.run.writers import ProgressWriter
from dd_jax.types import UserError

command_line.load_parts()
FLAGS = command_line.new_flags()
_ARTIFACT = flags.DEFINE_string(
  'artifact',
  None,
  'A distilled.npz.',
  flag_values=FLAGS,
)
_DATASET = flags.DEFINE_string(
  'dataset',
  None,
  "Real data to test on. Default: the artefact's, by name.",
  flag_values=FLAGS,
)
_of_data = data_flags.define(FLAGS, resized=False)
_PROTOCOLS = flags.DEFINE_list(
  'protocols',
  None,
  f"Any of {', '.join(recipe.PROTOCOLS)}. Default: the artefact's own.",
  flag_values=FLAGS,
)
_LEARNERS = flags.DEFINE_integer(
  'learners',
  None,
  'Fresh learners for each protocol.',
  flag_values=FLAGS,
)
_SEED = flags.DEFINE_integer(
  'seed',
  None,
  'Of the learners.',
  flag_values=FLAGS,
)
_BASELINES = flags.DEFINE_list(
  'baselines',
  [],
  f'Any of {", ".join(recipe.SELECTIONS)}, scored beside it.',
  flag_values=FLAGS,
)
_OUTPUT = flags.DEFINE_string(
  'output',
  None,
  'Also write the scores as JSON.',
  flag_values=FLAGS,
)


def evaluate(fields: dict[str, str]) -> None:
  """Scores what the flags name."""
  if not _ARTIFACT.value:
    raise UserError('--artifact: missing; name a distilled.npz')
  _check_output(_OUTPUT.value)
  held = artifact.load(_ARTIFACT.value)
  config = _configuration(held, fields)
  dataset = _dataset(config)
  _check_fit(held, dataset)
  own = held.metadata.get('dataset', dataset.provenance)
  if dataset.provenance['sha256'] != own['sha256']:
    print('note: these are not the data that the set was distilled from')
  config, _, decided = invariances.decide(config, dataset, Cache())
  for note in (*dataset.provenance['notes'], *decided):
    if note not in own.get('notes', ()):
      print(f'note: {note}')
  told = [] if FLAGS['quiet'].value else [ProgressWriter(0)]
  prepared = prepare(dataset, held.preprocessing)
  scorer = Scorer(config, prepared, Cache(), writers=told)
  scorer.check()
  with memory.told({'evaluation': config['evaluation']}):
    found = interruptible(lambda: record.score(scorer, held.data))
  print(command_line.table(found))
  for warning in found['warnings']:
    print(f'warning: {warning}')
  if _OUTPUT.value:
    write_json(_OUTPUT.value, found)
    print(f'written: {_OUTPUT.value}')


def _configuration(
  held: artifact.Artifact, fields: dict[str, str]
) -> recipe.Config:
  """The artefact's own configuration, with what the flags change."""
  try:
    return _changed(held, fields)
  except UserError:
    registries.check_installed(held.metadata)  # if so, this is what is wrong
    raise


def _changed(held: artifact.Artifact, fields: dict[str, str]) -> recipe.Config:
  config = _own(held, fields)
  # What was found then is meant now: another set may reach less far.
  found = held.metadata.get('dataset', {}).get('range', ())
  recipe.update(config, {'range': tuple(map(str, found))})
  named = {
    'dataset': _DATASET.value,
    'seed': _SEED.value,
  }
  scored: dict[str, Any] = {
    'learners': _LEARNERS.value,
    'baselines': tuple(_BASELINES.value),
  }
  if _PROTOCOLS.value:
    scored['protocol'], *others = _PROTOCOLS.value
    scored['others'] = tuple(others)
  recipe.update(config, {**data_flags.stated(named), **_of_data()})
  recipe.update(config, {'evaluation': data_flags.stated(scored)})
  settings.change(config, fields)
  limits.check(config)
  labels.label_encoding(config['label_encoding'])
  return config


def _own(held: artifact.Artifact, fields: dict[str, str]) -> recipe.Config:
  """The artefact's configuration; of one made by hand, what can be known."""
  own = held.metadata.get('config')
  if own is not None:
    return recipe.update(recipe.default(own['method']['name']), own)
  if not _DATASET.value:
    raise UserError(
      '--dataset: missing; the artefact does not say what it is to be tested on'
    )
  config = recipe.default('random')
  images, classes = held.data.label.shape
  known = {
    'label_encoding': _encoding(held, fields),
    'ipc': max(1, images // classes),
  }
  protocol = (_PROTOCOLS.value or [config['evaluation']['protocol']])[0]
  print(
    f'note: the artefact has no configuration: scored under {protocol} as is '
    f'usual there, its labels as {known["label_encoding"]} ones'
  )
  return recipe.update(config, known)


def _encoding(held: artifact.Artifact, fields: dict[str, str]) -> str:
  """That of the labels: as stored, as given, or as they show beyond doubt."""
  if 'label_encoding' in held.metadata:
    return held.label_encoding
  if 'label_encoding' in fields:
    return fields['label_encoding']
  try:
    targets.targets(held.data.label, 'one-hot', 'probabilities')
  except UserError as error:
    raise UserError(
      '--config.label_encoding: missing; the artefact does not say, and its '
      f'labels are no probabilities; allowed are {", ".join(labels.NAMES)}'
    ) from error
  return 'one-hot'


def _dataset(config: recipe.Config) -> Dataset:
  with command_line.asking_for_dataset(_DATASET.value, 'the set was distilled'):
    return loading.load_dataset(config)


def _check_fit(held: artifact.Artifact, dataset: Dataset) -> None:
  """Refuses data on which the set's learners cannot be tested."""
  shape, classes = held.data.image.shape[1:], held.data.label.shape[1]
  if (*shape, classes) == (*dataset.image_shape, dataset.num_classes):
    return
  raise UserError(
    f'--dataset={dataset.name}: its images are {_size(dataset.image_shape)} in '
    f'{dataset.num_classes} classes; those of --artifact={_ARTIFACT.value} are '
    f'{_size(shape)} in {classes}'
  )


def _size(shape: tuple[int, ...]) -> str:
  return ' x '.join(map(str, shape))


def _check_output(path: str | None) -> None:
  """Refuses, before the work, what could not be written after it."""
  if path is None:
    return
  if os.path.isdir(path) or not os.path.isdir(os.path.dirname(path) or '.'):
    raise UserError(
      f'--output={path}: must be a file in a folder that there is'
    )


COMMAND = command_line.Command('evaluate', __doc__, FLAGS, evaluate)
