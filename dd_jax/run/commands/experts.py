r"""Trains expert trajectories for a method that matches them, into a folder.

  dd-jax experts --dataset=mnist --method=mtt --store=experts/mnist
  dd-jax distill --dataset=mnist --method=mtt \
      --config.experts.store=experts/mnist

The same command goes on where it was stopped. A distillation that names no
store trains its experts itself and keeps them in the cache.
"""

import itertools
import os

from absl import flags

from dd_jax.cache import Cache
from dd_jax.data.load import names
from dd_jax.data.prepare import prepare
from dd_jax.experts import ExpertStore
from dd_jax.run import (
  command_line,
  experts,
  invariances,
  limits,
  loading,
  memory,
  parts,
  recipe,
  settings,
)
from dd_jax.run.commands import data_flags
from dd_jax.run.writers import ProgressWriter
from dd_jax.types import UserError

command_line.load_parts()
FLAGS = command_line.new_flags()
_READERS = [
  name for name in recipe.METHODS if recipe.expert_span(recipe.default(name))
]

_STORE = flags.DEFINE_string(
  'store',
  None,
  'The folder to write.',
  flag_values=FLAGS,
)
_DATASET = flags.DEFINE_string(
  'dataset',
  None,
  f'As for distill: one of {", ".join(names())}, or a path.',
  flag_values=FLAGS,
)
_METHOD = flags.DEFINE_string(
  'method',
  'mtt',
  f'Whose epochs are kept: one of {", ".join(_READERS)}.',
  flag_values=FLAGS,
)
_CONFIG = flags.DEFINE_string(
  'config',
  None,
  'A recipe, as for distill.',
  flag_values=FLAGS,
)
_IPC = flags.DEFINE_integer(
  'ipc',
  None,
  'Images per class of that recipe.',
  flag_values=FLAGS,
)
_SEED = flags.DEFINE_integer(
  'seed',
  None,
  'Of all randomness. Default: 0.',
  flag_values=FLAGS,
)
_of_data = data_flags.define(FLAGS)
_DEVICES = flags.DEFINE_integer(
  'devices',
  1,
  'Split experts over this many; 0 for all.',
  flag_values=FLAGS,
)
command_line.define_compiling(FLAGS)


def train(fields: dict[str, str]) -> None:
  """Trains what the flags describe."""
  if not _STORE.value:
    raise UserError('--store: missing; name a folder')
  config = _configuration(fields)
  limits.check(config)
  if recipe.expert_span(config) is None:
    raise UserError(f'--method={_METHOD.value}: reads no experts')
  mesh = command_line.mesh(_DEVICES.value)
  dataset, cache = loading.load_dataset(config), Cache()
  config, _, notes = invariances.decide(config, dataset, cache)
  prepared = prepare(dataset, parts.preprocessing(config), cache=cache)
  wanted = experts.wanted(config, prepared)
  store = ExpertStore.start(_STORE.value, wanted)
  told = [] if FLAGS['quiet'].value else [ProgressWriter(0)]
  try:
    for writer, note in itertools.product(told, notes):
      writer.message(note)
    with memory.told(config):
      experts.train(store, config, prepared, told, mesh)
  finally:
    for writer in told:
      writer.close()
  print(_summary(store))


def _configuration(fields: dict[str, str]) -> recipe.Config:
  named = {
    'dataset': _DATASET.value,
    'method': None if _CONFIG.value else _METHOD.value,
    'ipc': _IPC.value,
    'seed': _SEED.value,
  }
  given = {**data_flags.stated(named), **_of_data()}
  return settings.configuration(_CONFIG.value, given, fields)


def _summary(store: ExpertStore) -> str:
  found = experts.summary(store)
  size = sum(os.path.getsize(path) for path in store.path.glob('expert_*.npy'))
  return (
    f'{found["count"]} experts of {found["epochs"]} epochs in {store.path}: '
    f'validation accuracy {found["validation_accuracy"]:.2f} % on average, '
    f'{found["seconds"]:.0f} s, {size / 2**20:.1f} MiB'
  )


COMMAND = command_line.Command('experts', __doc__, FLAGS, train)
