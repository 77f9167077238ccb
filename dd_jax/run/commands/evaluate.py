r"""Scores a distilled set under named protocols.

  dd-jax evaluate --artifact=runs/mnist/distilled.npz \
      --dataset=mnist --protocols=dc,krr-ntk --learners=5
  dd-jax evaluate --artifact=runs/mnist/distilled.npz \
      --protocols=dc,mtt --networks=convnet,alexnet,vgg11,resnet18

What no flag changes is as in the run that made the set.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags

from dd_jax import artifact
from dd_jax.cache import Cache
from dd_jax.data import class_order, labels, targets
from dd_jax.data.dataset import Dataset
from dd_jax.data.prepare import prepare
from dd_jax.evaluation.metrics import METRICS, SUITE
from dd_jax.files import write_json
from dd_jax.methods import baselines
from dd_jax.run import (
  command_line,
  invariances,
  limits,
  loading,
  memory,
  network_file,
  network_table,
  recipe,
  record,
  registries,
  settings,
)
from dd_jax.run.commands import data_flags
from dd_jax.run.interrupt import interruptible
from dd_jax.run.scoring import Scorer
from dd_jax.run.writers import ProgressWriter
from dd_jax.types import DistilledData, UserError

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
_NETWORKS = flags.DEFINE_list(
  'networks',
  None,
  "Learners in place of the protocols' own, scored one after the other: any of "
  'dd-jax list networks, or your own, FILE.py:FACTORY. Gives a table.',
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
  f'Any of {", ".join(baselines())}, scored beside it.',
  flag_values=FLAGS,
)
_METRICS = flags.DEFINE_list(
  'metrics',
  None,
  f'Of the same learners, beside their accuracy: any of {", ".join(METRICS)}, '
  f'or {SUITE}, all of these and their mean.',
  flag_values=FLAGS,
)
_OUTPUT = flags.DEFINE_string(
  'output',
  None,
  'Also write the scores as JSON, with all that they depend on.',
  flag_values=FLAGS,
)
command_line.define_compiling(FLAGS)


def evaluate(fields: dict[str, str]) -> None:
  """Scores what the flags name."""
  if not _ARTIFACT.value:
    raise UserError('--artifact: missing; name a distilled.npz')
  _check_output(_OUTPUT.value)
  held = artifact.load(_ARTIFACT.value)
  config = _configuration(held, fields)
  dataset = _in_order(held, _dataset(config))
  own = held.metadata.get('dataset', dataset.provenance)
  if dataset.provenance['sha256'] != own['sha256']:
    print('note: these are not the data that the set was distilled from')
  config, _, decided = invariances.decide(config, dataset, Cache())
  for note in (*dataset.provenance['notes'], *decided):
    if note not in own.get('notes', ()):
      print(f'note: {note}')
  told = [] if FLAGS['quiet'].value else [ProgressWriter(0)]
  prepared, cache = prepare(dataset, held.preprocessing), Cache()
  made = lambda config: Scorer(config, prepared, cache, writers=told)
  began = time.perf_counter()
  if _NETWORKS.value:
    configs = _with_each(_NETWORKS.value, config, fields)
    scorers = {k: made(c) for k, c in configs}
    found = _by_network(scorers, held.data)
  else:
    scorer = made(config)
    scorer.check()
    found = _scored(scorer, held.data)
    print(command_line.table(found))
    for warning in found['warnings']:
      print(f'warning: {warning}')
  seconds = {'evaluate': round(time.perf_counter() - began, 3)}
  if _OUTPUT.value:
    about = record.audit(held, _ARTIFACT.value, config, dataset)
    write_json(_OUTPUT.value, {**about, **found, 'seconds': seconds})
    print(f'written: {_OUTPUT.value}')


def _scored(scorer: Scorer, data: DistilledData) -> dict[str, Any]:
  with memory.told({'evaluation': scorer.config['evaluation']}):
    return interruptible(lambda: record.score(scorer, data))


def _with_each(
  networks: Sequence[str], config: recipe.Config, fields: dict[str, str]
) -> Iterator[tuple[str, recipe.Config]]:
  """The configuration with each of the networks that were asked for."""
  for field in fields:
    if field.startswith('evaluation.network.'):
      raise UserError(f'--config.{field}: not together with --networks')
  for text in networks:
    name = network_file.name('--networks', text)
    change = {'evaluation': {'network': {'name': name}}}
    yield name, recipe.changed(config, change)


def _by_network(
  scorers: dict[str, Scorer], data: DistilledData
) -> dict[str, Any]:
  """Scores with each network, told as they come and as a table."""
  for scorer in scorers.values():
    scorer.check()
    for protocol in scorer.exact:
      raise UserError(
        f'--networks: {protocol} trains none; leave out one of the two'
      )
  found = {}
  for i, (name, scorer) in enumerate(scorers.items(), 1):
    if not FLAGS['quiet'].value:
      print(f'{name} ({i} of {len(scorers)}) ...', file=sys.stderr, flush=True)
    found[name] = _scored(scorer, data)
  print(network_table.text(found))
  for name, scores in found.items():
    for warning in scores['warnings']:
      print(f'warning: {name}: {warning}')
  return {'networks': found}


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
    'whole': 'no',  # as the baselines: where it is asked for
  }
  if _METRICS.value is not None:
    scored['metrics'] = tuple(_METRICS.value)
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


def _in_order(held: artifact.Artifact, dataset: Dataset) -> Dataset:
  """The data by the class names of the set, where it has any."""
  _check_fit(held, dataset)
  if 'class_names' not in held.metadata:
    return dataset
  try:
    return class_order.in_order(dataset, held.class_names)
  except UserError as error:
    raise UserError(f'--dataset={dataset.name}: {error}') from None


def _check_fit(held: artifact.Artifact, dataset: Dataset) -> None:
  """Refuses data on which the set's learners cannot be tested."""
  shape, classes = held.data.image.shape[1:], held.data.label.shape[1]
  if (*shape, classes) == (*dataset.image_shape, dataset.num_classes):
    return
  raise UserError(
    f'--dataset={dataset.name}: its images are {_size(dataset.image_shape)} in '
    f'{dataset.num_classes} classes; those of --artifact={_ARTIFACT.value} are '
    f'{_size(shape)} in {classes}'
    + class_order.way_out(dataset, held.class_names)
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
