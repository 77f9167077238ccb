r"""Distils a data set and scores what came out.

  dd-jax distill
  dd-jax distill --dataset=mnist --method=frepo --ipc=1 \
      --workdir=/tmp/frepo

With no flags: kip, the embedded digits, 10 images of each class.
"""

from absl import flags

from dd_jax.api import writers
from dd_jax.data.load import names
from dd_jax.run import command_line, pipeline, recipe, settings
from dd_jax.run.workdir import Workdir
from dd_jax.run.writers import TensorBoardWriter

command_line.load_parts()
FLAGS = command_line.new_flags()
_METHODS = '\n'.join(f'{k}: {m.summary}.' for k, m in recipe.METHODS.items())

_DATASET = flags.DEFINE_string(
  'dataset',
  None,
  f'One of {", ".join(names())};\nany TFDS name prepared in --data_dir;\n'
  'a .npz file with x_train, y_train (and x_test, y_test);\n'
  'or a folder of images, one folder for each class. Default: digits.',
  flag_values=FLAGS,
)
_METHOD = flags.DEFINE_string(
  'method',
  None,
  f'One of these. Default: kip.\n{_METHODS}',
  flag_values=FLAGS,
)
_IPC = flags.DEFINE_integer(
  'ipc',
  None,
  'Images per class: of a factorised set, how many plain images its storage '
  'equals. Default: 10.',
  flag_values=FLAGS,
)
_SEED = flags.DEFINE_integer(
  'seed',
  None,
  'Of all randomness. Default: 0.',
  flag_values=FLAGS,
)
_STEPS = flags.DEFINE_integer(
  'num_steps',
  None,
  "Outer steps. Default: the recipe's.",
  flag_values=FLAGS,
)
_WORKDIR = flags.DEFINE_string(
  'workdir',
  None,
  'Where everything is written. Default: runs/DATASET_METHOD_IPC_SEED.',
  flag_values=FLAGS,
)
_RESUME = flags.DEFINE_bool(
  'resume',
  False,
  'Continue the run in --workdir from its last checkpoint.',
  flag_values=FLAGS,
)
_OVERWRITE = flags.DEFINE_bool(
  'overwrite',
  False,
  'Discard the run in --workdir.',
  flag_values=FLAGS,
)
_CONFIG = flags.DEFINE_string(
  'config',
  None,
  'A recipe, NAME or NAME:IPC (dd-jax list recipes names them), or the path of '
  'a file; those in published/ are for several sets, '
  'published/NAME:DATASET,IPC. What the colon leaves out is taken from '
  '--dataset (of a path, its name) and --ipc. Any field of a recipe is changed '
  'by --config.FIELD=VALUE, such as --config.method.ridge=1e-5. Default: the '
  'recipe of that set and method, where there is one.',
  flag_values=FLAGS,
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir',
  None,
  "Where TFDS keeps its data. Default: TFDS's own.",
  flag_values=FLAGS,
)
_IMAGE_SIZE = flags.DEFINE_integer(
  'image_size',
  None,
  'Scale the shorter side to this many pixels and crop the centre.',
  lower_bound=2,
  upper_bound=4096,
  flag_values=FLAGS,
)
_DEVICES = flags.DEFINE_integer(
  'devices',
  1,
  'Split batches and learners over this many; 0 for all.',
  flag_values=FLAGS,
)
_TENSORBOARD = flags.DEFINE_bool(
  'tensorboard',
  False,
  'Also write TensorBoard event files.',
  flag_values=FLAGS,
)

_ELSEWHERE = ('workdir', 'resume', 'overwrite', 'tensorboard', 'quiet')


def distill(fields: dict[str, str]) -> None:
  """Runs what the flags describe."""
  named = {
    'dataset': _DATASET.value,
    'method': _METHOD.value,
    'ipc': _IPC.value,
    'seed': _SEED.value,
    'num_steps': _STEPS.value,
    'data_dir': _DATA_DIR.value,
    'image_size': _IMAGE_SIZE.value,
  }
  given = {k: v for k, v in named.items() if v is not None}
  config = settings.configuration(_CONFIG.value, given, fields)
  pipeline.check(config)
  mesh = command_line.mesh(_DEVICES.value)
  workdir = Workdir(
    _WORKDIR.value or _default_workdir(config),
    resume=_RESUME.value,
    overwrite=_OVERWRITE.value,
  )
  if _RESUME.value and not workdir.has_checkpoint:
    print(f'--resume: no checkpoint in {workdir.path} yet, starting anew')
  quiet = FLAGS['quiet'].value
  told = [*writers(workdir, config, progress=not quiet)]
  if _TENSORBOARD.value:
    told.append(TensorBoardWriter(workdir.path / 'tensorboard'))
  outcome = pipeline.run(
    config, workdir=workdir, writers=told, command=_command(fields), mesh=mesh
  )
  print(summary(outcome))
  print(f'report: {workdir.path / "report.html"}')


def _command(fields: dict[str, str]) -> str:
  """What repeats this run in another folder."""
  given = command_line.given_flags(FLAGS)
  kept = [text for name, text in given.items() if name not in _ELSEWHERE]
  return command_line.command_text('distill', kept, fields)


def summary(outcome: pipeline.Outcome) -> str:
  """The result as a few lines of text."""
  result = outcome.result
  lines = [
    f'{result["method"]} on {result["dataset"]}, '
    f'{result["images_per_class"]} images per class, {result["steps"]} steps',
    f'returned: {result["selection"]}',
    command_line.table(result),
  ]
  return '\n'.join([*lines, *(f'note: {n}' for n in result['notes'])])


def _default_workdir(config: recipe.Config) -> str:
  name = config['dataset'].rstrip('/').rsplit('/', 1)[-1].removesuffix('.npz')
  method, ipc, seed = config['method']['name'], config['ipc'], config['seed']
  return f'runs/{name}_{method}_{ipc}_{seed}'


COMMAND = command_line.Command('distill', __doc__, FLAGS, distill)
