r"""Says whether a distilled set ranks architectures as all data do.

  dd-jax rank --artifact=runs/cifar10_dc_10_0/distilled.npz --sample=60 \
      --output=rank.jsonl

Every ConvNet of a grid, by default the 720 of DC, is trained on the set, on as
many random images and on the whole training set, under the protocol of the
set's own run. What comes out: Spearman's and Kendall's correlation, what the
best of the set's top few lacks of the best of all, and the seconds saved where
only these few are trained on all data. With --output the same command goes on
where it was stopped. --config.evaluation.whole=auto trains on all data no
longer than the set's learners take; the default is what the protocol says.
"""

import json
import pathlib
import tempfile
from typing import Any

from absl import flags

from dd_jax import artifact
from dd_jax.artifact import Artifact
from dd_jax.cache import Cache
from dd_jax.data.prepare import Prepared, prepare
from dd_jax.files import write_atomically
from dd_jax.run import (
  command_line,
  invariances,
  ledger,
  loading,
  parts,
  ranking,
  recipe,
  settings,
)
from dd_jax.run.cell import label
from dd_jax.run.commands import data_flags
from dd_jax.run.interrupt import interruptible
from dd_jax.run.recipe import Config
from dd_jax.run.scoring import Scorer
from dd_jax.types import UserError

command_line.load_parts()
FLAGS = command_line.new_flags()
_ARTIFACT = flags.DEFINE_string(
  'artifact', None, 'A distilled.npz.', flag_values=FLAGS
)
_DATASET = flags.DEFINE_string(
  'dataset',
  None,
  "The data that it was distilled from. Default: the artefact's, by name.",
  flag_values=FLAGS,
)
_of_data = data_flags.define(FLAGS, resized=False)
_GRID = {
  'width': flags.DEFINE_list(
    'widths', ['32', '64', '128', '256'], 'Of every block.', flag_values=FLAGS
  ),
  'depth': flags.DEFINE_list(
    'depths', ['1', '2', '3', '4'], 'Blocks.', flag_values=FLAGS
  ),
  'norm': flags.DEFINE_list(
    'norms',
    ['none', 'batch', 'layer', 'instance', 'group'],
    'Of these.',
    flag_values=FLAGS,
  ),
  'activation': flags.DEFINE_list(
    'activations', ['sigmoid', 'relu', 'leaky'], 'Of these.', flag_values=FLAGS
  ),
  'pooling': flags.DEFINE_list(
    'poolings', ['none', 'max', 'average'], 'Of these.', flag_values=FLAGS
  ),
}
_SAMPLE = flags.DEFINE_integer(
  'sample',
  0,
  'So many of the grid, drawn at random. 0: all.',
  0,
  flag_values=FLAGS,
)
_TOP = flags.DEFINE_integer(
  'top',
  10,
  'Architectures that would be trained on all data.',
  1,
  flag_values=FLAGS,
)
_SEED = flags.DEFINE_integer(
  'seed', 0, 'Of the sample and the learners.', flag_values=FLAGS
)
_OUTPUT = flags.DEFINE_string(
  'output',
  None,
  'A .jsonl with a line for each architecture, continued where there is one.',
  flag_values=FLAGS,
)


def rank(fields: dict[str, str]) -> None:
  """Ranks what the flags name."""
  held = artifact.load(command_line.needed(_ARTIFACT))
  config = _configuration(held, fields)
  choices = {name: _values(flag) for name, flag in _GRID.items()}
  networks = ranking.drawn(ranking.grid(choices), _SAMPLE.value, _SEED.value)
  about = {
    'artifact': artifact.digest(held),
    'evaluation': {
      k: v for k, v in config['evaluation'].items() if k != 'network'
    },
    'seed': config['seed'],
  }
  lines = _known(json.loads(json.dumps(about)))
  prepared = _prepared(held, config)
  _check(choices, prepared.dataset.image_shape)
  for i, network in enumerate(networks, 1):
    name = label(network)
    if name not in lines:
      line = _line(held, config, prepared, network)
      lines[name] = {'cell': name, **line, 'about': about}
      _write(lines)
    print(f'{name} ({i} of {len(networks)}): {_told(lines[name])}', flush=True)
  wanted = [lines[label(network)] for network in networks]
  found = [line for line in wanted if 'error' not in line]
  print(_summary(ranking.summary(found, _TOP.value)))


def _values(flag: flags.FlagHolder) -> list[Any]:
  if not flag.value:
    raise UserError(f'--{flag.name}: empty; name at least one')
  return [int(v) if v.isdecimal() else v for v in flag.value]


def _check(choices: dict[str, list[Any]], shape: tuple[int, int, int]) -> None:
  """Refuses a value that no ConvNet has, before the first is trained.

  Raises:
    UserError: names the flag.
  """
  setting = parts.Setting(shape, 2)
  # A depth that these images have not is left out later, and said.
  wanted = [(k, v) for k, vs in choices.items() if k != 'depth' for v in vs]
  for name, value in wanted:
    one = {'name': 'convnet', 'depth': 1, name: value}
    try:
      made = recipe.changed(recipe.default(), {'network': one})
      parts.build_network(made['network'], setting)
    except UserError as error:
      raise UserError(f'--{_GRID[name].name}={value}: {error}') from None


def _configuration(held: Artifact, fields: dict[str, str]) -> Config:
  own = held.metadata.get('config')
  if own is None:
    raise UserError(
      f'--artifact={_ARTIFACT.value}: is of no run, and names no protocol'
    )
  config = recipe.update(recipe.default(own['method']['name']), own)
  named = {'dataset': _DATASET.value, 'seed': _SEED.value}
  recipe.update(config, {**data_flags.stated(named), **_of_data()})
  scored = {'others': (), 'baselines': ('random',), 'whole': 'yes'}
  recipe.update(config, {'evaluation': scored})
  return settings.change(config, fields)


def _prepared(held: Artifact, config: Config) -> Prepared:
  with command_line.asking_for_dataset(_DATASET.value, 'the set was distilled'):
    dataset = loading.load_dataset(config)
  if dataset.provenance['sha256'] != held.metadata['dataset']['sha256']:
    raise UserError(
      f'--dataset={dataset.name}: not the data that the set was distilled from'
    )
  return prepare(dataset, held.preprocessing)


def _line(
  held: Artifact, config: Config, prepared: Prepared, network: Config
) -> dict[str, Any]:
  """An architecture's scores, or why there are none."""
  try:
    made = recipe.changed(config, {'evaluation': {'network': network}})
    made, *_ = invariances.decide(made, prepared.dataset, Cache())
    # Times are to be those of training: nothing is taken from a cache.
    with tempfile.TemporaryDirectory() as folder:
      scorer = Scorer(made, prepared, Cache(folder))
      return interruptible(lambda: ranking.scored(scorer, held.data))
  except UserError as error:
    return {'error': str(error)}


def _known(about: dict[str, Any]) -> dict[str, dict[str, Any]]:
  """The lines of --output, by architecture."""
  if not _OUTPUT.value:
    return {}
  lines = ledger.read(pathlib.Path(_OUTPUT.value))
  if any(line.get('about') != about for line in lines):
    raise UserError(
      f'--output={_OUTPUT.value}: holds scores of another set or protocol; '
      'choose another file'
    )
  return {line['cell']: line for line in lines}


def _write(lines: dict[str, dict[str, Any]]) -> None:
  if _OUTPUT.value:
    text = ''.join(json.dumps(line) + '\n' for line in lines.values())
    write_atomically(_OUTPUT.value, text.encode())


def _told(line: dict[str, Any]) -> str:
  if 'error' in line:
    return f'left out: {line["error"]}'
  names = (*ranking.PROXIES, 'whole')
  return ', '.join(f'{name} {line[name]:.2f} %' for name in names)


def _summary(found: dict[str, Any]) -> str:
  lines = [f'{found["architectures"]} architectures, against all data:']
  for name in ranking.PROXIES:
    own = found[name]
    lines.append(
      f'{name}: Spearman {own["spearman"]:.2f}, Kendall {own["kendall"]:.2f}, '
      f'the best of its top {own["top"]} lacks {own["regret"]:.2f} points'
    )
  spent = found['seconds']
  lines.append(
    f'{spent["whole"]:.0f} s on all data; {spent["saved"]:.0f} s saved by '
    f'{spent["set"]:.0f} s on the set and its top alone on all data'
  )
  return '\n'.join(lines)


COMMAND = command_line.Command('rank', __doc__, FLAGS, rank)
"""The command that ranks architectures."""
