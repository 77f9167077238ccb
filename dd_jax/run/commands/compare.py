"""Sets several runs side by side, and says which differences are noise.

  dd-jax compare runs/mnist_dm_1_0 runs/mnist_kip_1_0 scores.json
  dd-jax compare runs/* --output=compared.html

RUN is a folder that `distill` wrote, or a file of `evaluate --output`. Scores
of one protocol, on the same data at the same number of images per class, are
held against each other.
"""

import json
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from dd_jax.files import write_atomically
from dd_jax.report import comparison
from dd_jax.report.comparison import Entry
from dd_jax.run import command_line
from dd_jax.run.workdir import RESULT
from dd_jax.types import UserError

_FORMATS: dict[str, Callable[[Sequence[Entry]], str]] = {
  '.html': comparison.page,
  '.md': comparison.markdown,
  '.csv': comparison.table_of_values,
}

_STRANGE = 'not what a run or `evaluate --output` writes'

FLAGS = command_line.new_flags()
_OUTPUT = flags.DEFINE_string(
  'output',
  None,
  f'Also write it to a file, of one of {", ".join(_FORMATS)}.',
  flag_values=FLAGS,
)


def compare(*runs: str) -> None:
  """Compares the runs that are named."""
  if not runs:
    raise UserError('RUN: missing; name two folders of runs or more')
  write = _writer(_OUTPUT.value)
  found = [
    entry
    for name in runs
    for run, record in _records(name)
    for entry in comparison.entries(run, record)
  ]
  print(comparison.text(found))
  for line in comparison.statements(found):
    print(line)
  if write and _OUTPUT.value:
    write_atomically(_OUTPUT.value, write(found).encode())
    print(f'written: {_OUTPUT.value}')


def _writer(path: str | None) -> Callable[[Sequence[Entry]], str] | None:
  if path is None:
    return None
  ending = pathlib.Path(path).suffix
  if ending not in _FORMATS:
    raise UserError(
      f'--output={path}: must end in one of {", ".join(_FORMATS)}'
    )
  return _FORMATS[ending]


def _records(name: str) -> list[tuple[str, dict[str, Any]]]:
  """What a run or a file holds, by what it is called; one for each network."""
  found, run = _read(name), name.rstrip('/')
  if 'networks' not in found:
    return [(run, _checked(name, found))]
  return [
    (f'{run}, {network}', _checked(name, {**found, **scores}))
    for network, scores in found['networks'].items()
  ]


def _read(name: str) -> dict[str, Any]:
  path = pathlib.Path(name)
  if path.is_dir():
    path = path / RESULT
  try:
    return dict(json.loads(path.read_text()))
  except FileNotFoundError:
    raise UserError(
      f'{name}: no {RESULT} there; is the run finished?'
    ) from None
  except (ValueError, TypeError):
    raise UserError(f'{name}: {_STRANGE}') from None


def _checked(name: str, found: dict[str, Any]) -> dict[str, Any]:
  try:
    known = found['test_accuracy']['mean'] >= 0 and found['protocol']
  except (KeyError, TypeError):
    known = False
  if not known:
    raise UserError(f'{name}: {_STRANGE}')
  return found


COMMAND = command_line.Command(
  'compare', __doc__, FLAGS, compare, ('RUN ...',), takes_fields=False
)
