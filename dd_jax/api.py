"""The short way in: distil arrays in memory with one call."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dd_jax import artifact, register
from dd_jax.artifact import Artifact
from dd_jax.data.dataset import Dataset, from_arrays
from dd_jax.run import limits, loading, pipeline, recipe, settings
from dd_jax.run.outcome import Outcome
from dd_jax.run.stages import tell
from dd_jax.run.workdir import Workdir
from dd_jax.run.writers import JsonlWriter, ProgressWriter, Writer
from dd_jax.types import UserError


def distill(
  x_train: Any,
  y_train: Any = None,
  x_test: Any = None,
  y_test: Any = None,
  *,
  method: str = 'kip',
  ipc: int = 10,
  seed: int = 0,
  config: Mapping[str, Any] | None = None,
  workdir: str | Path | None = None,
  resume: bool = False,
  progress: bool = True,
) -> Outcome:
  """Distils a data set to `ipc` images of each class, and scores them.

  Args:
    x_train: images, see `dd_jax.from_arrays`; or a `Dataset`, as
      `dd_jax.load_dataset` gives; then no other array.
    y_train: class numbers `[n]`, text, or one-hot rows.
    x_test: as `x_train`. Without it a sixth of the training examples is held
      out for the test.
    y_test: as `y_train`.
    method: a name in `dd_jax.methods.METHODS`, or one of your own; see
      `dd_jax.register`.
    ipc: images per class.
    seed: of all randomness.
    config: changes, nested: `{'num_steps': 500, 'optimizer':
      {'learning_rate': 0.01}}`. They are made to the recipe of the set and
      method, as on the command line; where there is none, to the method's own
      settings, on a run of ten minutes (see `dd_jax.run.unknown`):
      `{'minutes': 2.0}` or `{'num_steps': 500}` says otherwise.
    workdir: an empty folder for the artefact, metrics, checkpoints and report;
      by default nothing is written.
    resume: goes on with the run of `workdir` where it stopped, or returns what
      it made; the same call then starts a run, continues it and reads it.
    progress: shows a progress bar on stderr.

  Returns:
    The artefact and the record of the run, test accuracy included; the last
    value of a notebook's cell shows the report.

  Raises:
    UserError: what is wrong, in one line.
  """
  register.load_installed()
  name = x_train.name if isinstance(x_train, Dataset) else ''
  chosen = settings.own_recipe(method, {'dataset': name, 'ipc': ipc})
  settings.update(chosen, {**(config or {}), 'ipc': ipc, 'seed': seed})
  limits.check(chosen)
  if isinstance(x_train, Dataset):
    dataset = x_train
  elif y_train is None:
    raise UserError('y_train: missing; give a label for every image')
  else:
    dataset = from_arrays(
      x_train,
      y_train,
      x_test,
      y_test,
      value_range=loading.value_range(chosen),
      classes=chosen['classes'],
      validation=loading.held_out(chosen),
      seed=seed,
    )
  recipe.update(chosen, {'dataset': dataset.name})
  folder = _folder(workdir, resume)
  told = writers(folder, chosen, progress)
  outcome = pipeline.run(
    chosen,
    dataset=dataset,
    workdir=folder,
    writers=told,
    command=functools.partial(_command, method, ipc, seed),
  )
  tell(told, [f'warning: {w}' for w in outcome.result['warnings']])
  return outcome


def _command(method: str, ipc: int, seed: int, found: Mapping[str, str]) -> str:
  """The call that repeats a run, with what was found for it."""
  text = f'dd_jax.distill(..., method={method!r}, ipc={ipc}, seed={seed})'
  told = ', '.join(f'{k}={v}' for k, v in found.items())
  return f'{text}  # in config: {told}' if found else text


def _folder(path: str | Path | None, resume: bool) -> Workdir | None:
  if path is not None:
    return Workdir(path, resume=resume)
  if resume:
    raise UserError('resume=True: needs workdir, the folder of the run')
  return None


def load(path: str | Path) -> Artifact:
  """Reads and verifies an artefact; see `dd_jax.artifact.load`.

  Its images may be decoded by a parameterization of an installed package.

  Raises:
    UserError: the file is missing, truncated, corrupt or something else.
  """
  register.load_installed()
  return artifact.load(path)


def writers(
  workdir: Workdir | None, config: recipe.Config, progress: bool
) -> Sequence[Writer]:
  """The usual writers: a progress bar, and files where there is a folder."""
  found: list[Writer] = []
  if progress:
    found.append(ProgressWriter(config['num_steps']))
  if workdir is not None:
    found.append(JsonlWriter(workdir.path))
  return found
