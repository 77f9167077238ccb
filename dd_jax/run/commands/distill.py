r"""Distils a data set and scores what came out.

  dd-jax distill
  dd-jax distill --dataset=mnist --method=frepo --ipc=1 \
      --workdir=/tmp/frepo

With no flags: kip, the embedded digits, 10 images of each class.
"""

import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from absl import flags

from dd_jax.api import writers
from dd_jax.data.dataset import Dataset
from dd_jax.data.load import names
from dd_jax.data.shown import sentence
from dd_jax.files import write_json
from dd_jax.run import (
  command_line,
  counts,
  limits,
  loading,
  network_file,
  pipeline,
  recipe,
  resume,
  seeds,
  settings,
  unknown,
)
from dd_jax.run.commands import data_flags
from dd_jax.run.outcome import Outcome
from dd_jax.run.workdir import RUN, Workdir
from dd_jax.run.writers import TensorBoardWriter
from dd_jax.types import UserError

command_line.load_parts()
FLAGS = command_line.new_flags()

_DATASET = flags.DEFINE_string(
  'dataset',
  None,
  f'One of {", ".join(names())};\nany TFDS name prepared in --data_dir;\n'
  'a file of arrays, such as .npz with x_train, y_train (and x_test, y_test);\n'
  'or a folder of images, one folder for each class. Default: digits.',
  flag_values=FLAGS,
)
_METHOD = flags.DEFINE_string(
  'method',
  None,
  f'One of {", ".join(recipe.METHODS)}; dd-jax list methods tells of each. '
  'Default: kip.',
  flag_values=FLAGS,
)
_NETWORK = flags.DEFINE_string(
  'network',
  None,
  'The learner that the method uses: one of dd-jax list networks, or your own, '
  "FILE.py:FACTORY. Default: the recipe's.",
  flag_values=FLAGS,
)
_IPC = flags.DEFINE_integer(
  'ipc',
  None,
  'Images per class: of a factorised set, how many plain images its storage '
  'equals. Default: 10.',
  flag_values=FLAGS,
)
_TOTAL = flags.DEFINE_integer(
  'total',
  None,
  'Images in all, spread over the classes as evenly as may be, in place of '
  '--ipc.',
  1,
  flag_values=FLAGS,
)
_COUNTS = flags.DEFINE_string(
  'counts',
  None,
  'How many images of each class, in place of --ipc: a .json file, {"cat": 3, '
  '"dog": 5}, or a .csv file of rows cat,3.',
  flag_values=FLAGS,
)
_SEED = flags.DEFINE_string(
  'seed',
  None,
  'Of all randomness; 0,1,2 makes three runs, in folders of --workdir, and a '
  'summary.json. Default: 0.',
  flag_values=FLAGS,
)
_STEPS = flags.DEFINE_integer(
  'num_steps',
  None,
  "Outer steps. Default: the recipe's.",
  flag_values=FLAGS,
)
_MINUTES = flags.DEFINE_float(
  'minutes',
  None,
  'Of the whole run, scoring included: what it takes here is measured first, '
  "the number of steps follows, at most --num_steps or the recipe's, and with "
  'it what else would take too long; all is said, and repeats from the printed '
  'command. Measuring takes up to a minute or two itself. 0: as long as '
  f'--num_steps or the recipe says. Default: {unknown.MINUTES:g} for a set '
  'without a recipe, where no --num_steps is given.',
  flag_values=FLAGS,
)
_ESTIMATE = flags.DEFINE_bool(
  'estimate',
  False,
  'Say what the run would take, in time and memory, and stop.',
  flag_values=FLAGS,
)
_WORKDIR = flags.DEFINE_string(
  'workdir',
  None,
  'Where everything is written. Default: runs/DATASET_METHOD_IPC_SEED; of '
  'several seeds, runs/DATASET_METHOD_IPC/seed_SEED.',
  flag_values=FLAGS,
)
_RESUME = flags.DEFINE_bool(
  'resume',
  False,
  'Continue the run in --workdir from its last checkpoint, with its settings; '
  'paths and a --config are given again. A larger --num_steps lengthens it.',
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
_of_data = data_flags.define(FLAGS)
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
command_line.define_compiling(FLAGS)

_ELSEWHERE = (
  'workdir',
  'resume',
  'overwrite',
  'tensorboard',
  'compile_cache',
  'quiet',
  'minutes',  # what was found stands for it
)


_SIZES = ('ipc', 'total', 'counts')


class _Asked(NamedTuple):
  """One run that the flags describe."""

  config: recipe.Config
  workdir: Workdir
  command: Callable[[Mapping[str, str]], str]
  continued: bool  # its settings are those that the folder holds


def distill(fields: dict[str, str]) -> None:
  """Runs what the flags describe, once for each seed."""
  mesh = command_line.mesh(_DEVICES.value)
  if _ESTIMATE.value:
    _estimate(fields, mesh)
    return
  chosen = seeds.parse(_SEED.value)
  top = pathlib.Path(_WORKDIR.value or _default_workdir(chosen, fields))
  if len(chosen) < 2:
    seed = chosen[0] if chosen else None
    _run(_runs({seed: top}, fields)[0], mesh)
    return
  if (top / RUN).exists():
    raise UserError(f'--workdir={top} holds one run: choose another folder')
  folders: dict[int | None, pathlib.Path] = {
    seed: top / seeds.folder(seed) for seed in chosen
  }
  results = _each(_runs(folders, fields), mesh)
  _summarise(top, seeds.summary(dict(zip(chosen, results, strict=True))))


def _estimate(fields: dict[str, str], mesh: jax.sharding.Mesh | None) -> None:
  """Prints what the run would take."""
  seeds_given = seeds.parse(_SEED.value)
  named = {**_given(), **({'seed': seeds_given[0]} if seeds_given else {})}
  config = settings.configuration(_CONFIG.value, named, fields)
  quiet = FLAGS['quiet'].value
  told = [] if quiet else writers(None, config, progress=True)
  plan = pipeline.estimate(config, writers=told, mesh=mesh)
  print('\n'.join(plan.lines))


def _each(
  runs: Sequence[_Asked], mesh: jax.sharding.Mesh | None
) -> list[dict[str, Any]]:
  """Runs that differ in their seed alone: what the first finds, all have."""
  results: list[dict[str, Any]] = []
  for asked in runs:
    if results and 'plan' in results[0]:
      asked = _as_found(asked, results[0]['plan']['changes'])
    results.append(_run(asked, mesh))
  return results


def _as_found(asked: _Asked, found: Mapping[str, str]) -> _Asked:
  """With what was measured for a run like it, where that is asked for."""
  if not asked.config['minutes']:
    return asked
  config = settings.as_found(asked.config, found)
  command = lambda changes: asked.command({**found, **changes})
  return asked._replace(config=config, command=command)


def _runs(
  folders: Mapping[int | None, pathlib.Path], fields: dict[str, str]
) -> list[_Asked]:
  """Every run, by its seed and folder, checked before the first begins."""
  workdirs = {
    seed: Workdir(folder, resume=_RESUME.value, overwrite=_OVERWRITE.value)
    for seed, folder in folders.items()
  }
  known = [held for w in workdirs.values() if (held := w.held())]
  held = known[0] if known and not _CONFIG.value else None
  alone = not (_given() or fields or _SEED.value or _CONFIG.value)
  if _RESUME.value and alone and not held:
    where = ', '.join(map(str, folders.values()))
    raise UserError(f'--resume: there is no run in {where} to continue')
  return [_asked(seed, w, held, fields) for seed, w in workdirs.items()]


def _asked(
  seed: int | None,
  workdir: Workdir,
  held: Mapping[str, Any] | None,
  fields: dict[str, str],
) -> _Asked:
  """A run: as its folder holds it, or by its recipe; with what was given."""
  named = _given() if seed is None else {**_given(), 'seed': seed}
  if held:
    config = resume.configuration(held, named, fields)
    command = lambda changes: resume.command(config)
  else:
    config = settings.configuration(_CONFIG.value, named, fields)
    command = functools.partial(_command, seed, fields)
  limits.check(config)
  _check_network(config)
  asked = _Asked(config, workdir, command, bool(held))
  found = workdir.plan() if workdir.resumed else None
  return _as_found(asked, found['changes']) if found else asked


def _check_network(config: recipe.Config) -> None:
  """Refuses a network that nothing would use."""
  method = config['method']['name']
  if _NETWORK.value and not recipe.takes(method, 'network'):
    raise UserError(
      f'--network={_NETWORK.value}: {method} uses none; what scores a set is '
      '--config.evaluation.network.name'
    )


def _given() -> dict[str, Any]:
  named = {
    'dataset': _DATASET.value,
    'method': _METHOD.value,
    'ipc': _IPC.value,
    'total': _TOTAL.value,
    'counts': counts.read(_COUNTS.value) if _COUNTS.value else None,
    'num_steps': _STEPS.value,
    'minutes': _MINUTES.value,
  }
  sizes = [f'--{name}' for name in _SIZES if named[name] is not None]
  if len(sizes) > 1:
    raise UserError(f'{" and ".join(sizes)}: allowed is one of them')
  given = {**data_flags.stated(named), **_of_data()}
  if _NETWORK.value:
    given['network'] = {'name': network_file.name('--network', _NETWORK.value)}
  return given


def _run(asked: _Asked, mesh: jax.sharding.Mesh | None) -> dict[str, Any]:
  """Distils, and prints the result that it returns."""
  config, workdir = asked.config, asked.workdir
  quiet = FLAGS['quiet'].value
  if _RESUME.value and not workdir.has_checkpoint and not quiet:
    print(f'--resume: no checkpoint in {workdir.path} yet, starting anew')
  told = [*writers(workdir, config, progress=not quiet)]
  if _TENSORBOARD.value:
    told.append(TensorBoardWriter(workdir.path / 'tensorboard'))
  outcome = pipeline.run(
    config,
    dataset=_dataset(config) if asked.continued else None,
    workdir=workdir,
    writers=told,
    command=asked.command,
    mesh=mesh,
    estimate=_published() and not workdir.has_checkpoint,
  )
  print(summary(outcome))
  print(f'report: {workdir.path / "report.html"}')
  return outcome.result


def _published() -> bool:
  """Whether the run is one whose cost nobody has cut."""
  return (_CONFIG.value or '').startswith('published/')


def _dataset(config: recipe.Config) -> Dataset:
  with command_line.asking_for_dataset(_DATASET.value, 'the run was started'):
    return loading.load_dataset(config)


def _summarise(top: pathlib.Path, found: dict[str, Any]) -> None:
  """Prints and writes what runs of several seeds have in common."""
  write_json(top / seeds.FILE, found)
  print(f'seeds {", ".join(map(str, found["seeds"]))}, ± over them:')
  print(command_line.table(found))
  print(f'summary: {top / seeds.FILE}')


def _command(
  seed: int | None, fields: Mapping[str, str], found: Mapping[str, str]
) -> str:
  """What repeats this run in another folder, with what was found for it."""
  given = command_line.given_flags(FLAGS)
  fields = {k: v for k, v in {**fields, **found}.items() if k != 'minutes'}
  if 'num_steps' in fields:
    given['num_steps'] = f'--num_steps={fields.pop("num_steps")}'
  if seed is not None:
    given['seed'] = f'--seed={seed}'
  kept = [text for name, text in given.items() if name not in _ELSEWHERE]
  return command_line.command_text('distill', kept, fields)


def summary(outcome: Outcome) -> str:
  """The result as a few lines of text."""
  result = outcome.result
  lines = [
    f'{result["method"]} on {result["dataset"]}, '
    f'{counts.told(result["config"])}, {result["steps"]} steps',
    f'returned: {result["selection"]}',
    command_line.table(result),
  ]
  if 'pixels' in result:  # not in that of an earlier version
    lines.append(sentence(result['pixels'], result['config']))
  lines += [f'warning: {w}' for w in result.get('warnings', ())]
  return '\n'.join([*lines, *(f'note: {n}' for n in result['notes'])])


def _default_workdir(chosen: Sequence[int], fields: dict[str, str]) -> str:
  """That of one run by its seed; of several, the one that holds theirs."""
  config = settings.configuration(_CONFIG.value, _given(), fields)
  name = config['dataset'].rstrip('/').rsplit('/', 1)[-1].removesuffix('.npz')
  size = 'counts' if config['counts'] else config['total'] or config['ipc']
  size = f'total{size}' if config['total'] else size
  folder = f'runs/{name}_{config["method"]["name"]}_{size}'
  if len(chosen) > 1:
    return folder
  return f'{folder}_{chosen[0] if chosen else config["seed"]}'


COMMAND = command_line.Command('distill', __doc__, FLAGS, distill)
