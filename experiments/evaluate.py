r"""Scores a distilled set under named protocols.

python -m experiments.evaluate --artifact=runs/mnist/distilled.npz \
      --dataset=mnist --protocols=dc,krr-ntk --learners=5
"""

import json

from absl import flags

from dd_jax import artifact, pipeline, recipe
from dd_jax.data.prepare import prepare
from dd_jax.evaluation.cache import Cache
from dd_jax.files import write_json
from dd_jax.scoring import Scorer
from dd_jax.types import UserError
from experiments import main, settings

_ARTIFACT = flags.DEFINE_string('artifact', None, 'A distilled.npz.')
_DATASET = flags.DEFINE_string(
  'dataset', None, "Real data to test on. Default: the artefact's, by name."
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, "Where TFDS keeps its data. Default: TFDS's own."
)
_PROTOCOLS = flags.DEFINE_list(
  'protocols',
  None,
  f"Any of {', '.join(recipe.PROTOCOLS)}. Default: the artefact's own.",
)
_LEARNERS = flags.DEFINE_integer(
  'learners', None, 'Fresh learners for each protocol.'
)
_SEED = flags.DEFINE_integer('seed', None, 'Of the learners.')
_BASELINES = flags.DEFINE_list(
  'baselines', [], f'Any of {", ".join(recipe.SELECTIONS)}, scored beside it.'
)
_OUTPUT = flags.DEFINE_string('output', None, 'Also write the scores as JSON.')


def evaluate(fields: dict[str, str]) -> None:
  """Scores what the flags name."""
  if not _ARTIFACT.value:
    raise UserError('--artifact: missing; name a distilled.npz')
  held = artifact.load(_ARTIFACT.value)
  config = _configuration(held, fields)
  dataset = pipeline.load_dataset(config)
  if dataset.provenance['sha256'] != held.metadata['dataset']['sha256']:
    print('note: these are not the data that the set was distilled from')
  scorer = Scorer(config, prepare(dataset, held.preprocessing), Cache())
  found = pipeline.score(scorer, held.data)
  print(main.table(found))
  if _OUTPUT.value:
    write_json(_OUTPUT.value, found)
    print(json.dumps({'written': _OUTPUT.value}))


def _configuration(
  held: artifact.Artifact, fields: dict[str, str]
) -> recipe.Config:
  """The artefact's own configuration, with what the flags change."""
  method = held.metadata['config']['method']['name']
  config = recipe.update(recipe.default(method), held.metadata['config'])
  section = config['evaluation']
  protocols = _PROTOCOLS.value or [section['protocol'], *section['others']]
  changes = {
    'dataset': _DATASET.value,
    'data_dir': _DATA_DIR.value,
    'seed': _SEED.value,
  }
  recipe.update(config, {k: v for k, v in changes.items() if v is not None})
  recipe.update(
    config,
    {
      'evaluation': {
        'protocol': protocols[0],
        'others': tuple(protocols[1:]),
        'learners': _LEARNERS.value or section['learners'],
        'baselines': tuple(_BASELINES.value),
      }
    },
  )
  settings.change(config, fields)
  pipeline.check(config)
  return config


if __name__ == '__main__':
  main.run(evaluate)
