r"""Distils a data set and scores what came out.

  python -m experiments.distill
  python -m experiments.distill --dataset=mnist --method=frepo --ipc=1 \
      --workdir=/tmp/frepo

With no flags: kip, the embedded digits, 10 images of each class.
"""

from absl import flags

import dd_jax
from dd_jax.api import writers
from dd_jax.data.load import names
from dd_jax.data.shown import sentence
from dd_jax.run import command_line, pipeline, recipe, settings
from dd_jax.run.workdir import Workdir
from dd_jax.run.writers import TensorBoardWriter
from experiments import configs

command_line.load_parts()
_METHODS = '\n'.join(f'{k}: {m.summary}.' for k, m in recipe.METHODS.items())

_DATASET = flags.DEFINE_string(
  'dataset',
  None,
  f'One of {", ".join(names())};\nany TFDS name prepared in --data_dir;\n'
  'a file of arrays, such as .npz with x_train, y_train (and x_test, y_test);\n'
  'or a folder of images, one folder for each class. Default: digits.',
)
_METHOD = flags.DEFINE_string(
  'method', None, f'One of these. Default: kip.\n{_METHODS}'
)
_IPC = flags.DEFINE_integer(
  'ipc',
  None,
  'Images per class: of a factorised set, how many plain images its storage '
  'equals. Default: 10.',
)
_SEED = flags.DEFINE_integer('seed', None, 'Of all randomness. Default: 0.')
_STEPS = flags.DEFINE_integer(
  'num_steps', None, "Outer steps. Default: the recipe's."
)
_WORKDIR = flags.DEFINE_string(
  'workdir',
  None,
  'Where everything is written. Default: runs/DATASET_METHOD_IPC_SEED.',
)
_RESUME = flags.DEFINE_bool(
  'resume', False, 'Continue the run in --workdir from its last checkpoint.'
)
_OVERWRITE = flags.DEFINE_bool(
  'overwrite', False, 'Discard the run in --workdir.'
)
_CONFIG = flags.DEFINE_string(
  'config',
  None,
  'A recipe: experiments/configs/NAME.py, or NAME.py:IPC; those in published/ '
  'are for several sets, published/NAME.py:DATASET,IPC. What the colon leaves '
  'out is taken from --dataset (of a path, its name) and --ipc. Any field of a '
  'recipe is changed by --config.FIELD=VALUE, such as '
  '--config.method.ridge=1e-5. Default: the recipe of that set and method, '
  'where there is one.',
)
_RANGE = flags.DEFINE_list(
  'range',
  None,
  'LOW,HIGH: the values of black and of white, of images of 12 bits such as '
  '0,4095. Default: found, and said.',
)
_CLASSES = flags.DEFINE_list(
  'classes',
  None,
  'Takes these classes alone, in this order, by name or number.',
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, "Where TFDS keeps its data. Default: TFDS's own."
)
_IMAGE_SIZE = flags.DEFINE_integer(
  'image_size',
  None,
  'Scale the shorter side to this many pixels and crop the centre.',
  lower_bound=2,
  upper_bound=4096,
)
_DEVICES = flags.DEFINE_integer(
  'devices', 1, 'Split batches and learners over this many; 0 for all.'
)
_TENSORBOARD = flags.DEFINE_bool(
  'tensorboard', False, 'Also write TensorBoard event files.'
)


def distill(fields: dict[str, str]) -> None:
  """Runs what the flags describe."""
  named = {
    'dataset': _DATASET.value,
    'method': _METHOD.value,
    'ipc': _IPC.value,
    'seed': _SEED.value,
    'num_steps': _STEPS.value,
    'data_dir': _DATA_DIR.value,
    'range': _RANGE.value,
    'classes': _CLASSES.value,
    'image_size': _IMAGE_SIZE.value,
  }
  given = {k: v for k, v in named.items() if v is not None}
  config = settings.configuration(configs.FOLDER, _CONFIG.value, given, fields)
  pipeline.check(config)
  mesh = command_line.mesh(_DEVICES.value)
  workdir = Workdir(
    _WORKDIR.value or _default_workdir(config),
    resume=_RESUME.value,
    overwrite=_OVERWRITE.value,
  )
  if _RESUME.value and not workdir.has_checkpoint:
    print(f'--resume: no checkpoint in {workdir.path} yet, starting anew')
  told = [*writers(workdir, config, progress=True)]
  if _TENSORBOARD.value:
    told.append(TensorBoardWriter(workdir.path / 'tensorboard'))
  outcome = pipeline.run(
    config, workdir=workdir, writers=told, command=_command(fields), mesh=mesh
  )
  print(summary(outcome))
  print(f'report: {workdir.path / "report.html"}')


def _command(fields: dict[str, str]) -> str:
  """What repeats this run in another folder."""
  elsewhere = (_WORKDIR, _RESUME, _OVERWRITE, _TENSORBOARD)
  return command_line.command('distill', fields, [f.name for f in elsewhere])


def summary(outcome: dd_jax.Outcome) -> str:
  """The result as a few lines of text."""
  result = outcome.result
  lines = [
    f'{result["method"]} on {result["dataset"]}, '
    f'{result["images_per_class"]} images per class, {result["steps"]} steps',
    f'returned: {result["selection"]}',
    command_line.table(result),
  ]
  if 'pixels' in result:  # not in that of an earlier version
    lines.append(sentence(result['pixels']))
  lines += [f'warning: {w}' for w in result.get('warnings', ())]
  return '\n'.join([*lines, *(f'note: {n}' for n in result['notes'])])


def _default_workdir(config: recipe.Config) -> str:
  name = config['dataset'].rstrip('/').rsplit('/', 1)[-1].removesuffix('.npz')
  method, ipc, seed = config['method']['name'], config['ipc'], config['seed']
  return f'runs/{name}_{method}_{ipc}_{seed}'


if __name__ == '__main__':
  command_line.run(distill)
