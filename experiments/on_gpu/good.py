"""Stage: accuracy by published recipes, for as long as there is time.

The settings are the papers' own; only the number of outer steps is cut to the
minutes that a run is given, and baselines are left out. Each is scored by its
own protocol.
"""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

from dd_jax.run import pipeline, recipe, settings
from dd_jax.run.costs import length
from dd_jax.run.plan import LEAST_STEPS
from dd_jax.run.workdir import Workdir
from experiments.benchmarks.measure import Row
from experiments.benchmarks.sizes import capped
from experiments.on_gpu.points import Asked, Point

_SCORED = {
  'baselines': (),
  'others': (),
  'whole': 'no',
  'validation_learners': 1,
}
# Constants of CIFAR-10 are none of the embedded digits'.
_REHEARSED = {
  'num_steps': 2,
  'validate_every': 1,
  'ipc': 1,
  'preprocessing': 'standardise',
}


class Run(NamedTuple):
  """A run of a recipe on CIFAR-10.

  Attributes:
    recipe: by name.
    ipc: images per class.
    minutes: that it is given.
    published: accuracy, percent.
    fields: changes of the recipe, where it is cut to a CPU or to these minutes.
  """

  recipe: str
  ipc: int
  minutes: float
  published: float
  fields: dict[str, str] = {}  # noqa: RUF012 (never changed)


_TWENTY = {'experts.count': '20'}
RUNS = (
  Run('published/kip', 10, 1.0, 53.1),
  Run('published/dm', 1, 1.5, 26.0),
  Run('published/dm', 10, 2.0, 48.9),
  Run('published/frepo', 1, 2.0, 46.8),
  Run('published/rfad', 1, 2.0, 61.1),
  Run('cifar10_kip_conv', 1, 4.0, 64.7, {'method.batch_size': '1000'}),
  Run('published/dsa', 1, 2.0, 28.8),
  Run('published/mtt', 1, 4.0, 46.3, _TWENTY),
  Run('published/m3d', 10, 3.0, 63.5),
  Run('published/frepo', 10, 4.0, 65.5),
  Run('published/rfad', 10, 4.0, 73.1),
  Run('published/idc', 10, 5.0, 67.5),
  Run('published/dsa', 10, 5.0, 52.1),
)


def good(asked: Asked) -> Iterator[Point]:
  """The runs, cheapest per point of accuracy first."""
  for run in RUNS:
    name = f'{run.recipe.rpartition("/")[2]}-{run.ipc}'
    least = 0.0 if asked.rehearse else 30 * run.minutes
    yield Point(name, functools.partial(_run, asked, run, name), least)


def _run(asked: Asked, run: Run, name: str) -> Row:
  """Measures, cuts the length to the time, distils and scores."""
  config = configured(asked, run)
  published = config['num_steps']
  if not asked.rehearse:
    seconds = min(60 * run.minutes, asked.left())
    costs = pipeline.estimate(config).costs
    found = length(costs, seconds, published, LEAST_STEPS)
    fixed = {'num_steps': found.steps, 'validate_every': found.every}
    config = recipe.changed(config, fixed)
  folder = Workdir(asked.output / 'runs' / name, overwrite=True)
  result = pipeline.run(config, workdir=folder).result
  return {
    **_told(result),
    'published_steps': published,
    'published_accuracy': run.published,
  }


def configured(asked: Asked, run: Run) -> recipe.Config:
  """The recipe on the data that were named; tiny in a rehearsal."""
  fields = {**run.fields, 'dataset': asked.data}
  named = f'{run.recipe}:{run.ipc}'
  if run.recipe.startswith('published/'):
    named = f'{run.recipe}:cifar10,{run.ipc}'
  config = settings.configuration(named, {}, fields)
  recipe.update(config, {'evaluation': _SCORED})
  if not asked.rehearse:
    return config
  recipe.update(config, _REHEARSED)
  return capped(config, asked.caps)


def _told(result: dict[str, Any]) -> Row:
  """What of a run's `result.json` is told here."""
  kept = ('protocol', 'steps', 'seconds', 'selection')
  score = result['test_accuracy']
  found = {k: score[k] for k in ('mean', 'std', 'values', 'interval')}
  return {**{k: result[k] for k in kept}, 'accuracy': found}
