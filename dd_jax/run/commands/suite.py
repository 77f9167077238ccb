r"""Distils and scores a grid of sets, methods and seeds, cell by cell.

  dd-jax suite experiments/suites/cpu.toml --workdir=runs/cpu
  dd-jax compare runs/cpu/results.jsonl --output=cpu.html

GRID is a TOML file; those in `experiments/suites/` show what it holds. Every
cell has as long to distil in and is scored by the same learners. A
finished one is a line of results.jsonl and is not run again: the same command
goes on where it was stopped. One that fails leaves its error there.
"""

import pathlib
import sys
from typing import Any

from absl import flags

from dd_jax.api import writers
from dd_jax.files import one_line
from dd_jax.run import command_line, grid, recipe
from dd_jax.run.cell import Runner
from dd_jax.run.commands import data_flags
from dd_jax.run.grid import Cell
from dd_jax.run.interrupt import Stop
from dd_jax.run.ledger import Ledger
from dd_jax.run.pace import clock
from dd_jax.run.result import Interrupted
from dd_jax.types import UserError

command_line.load_parts()
FLAGS = command_line.new_flags()
_WORKDIR = flags.DEFINE_string(
  'workdir',
  None,
  'Where everything is written, and continued from. Default: runs/GRID.',
  flag_values=FLAGS,
)
_DATASETS = flags.DEFINE_list(
  'datasets',
  None,
  'Runs the cells of these alone, of those in the grid.',
  flag_values=FLAGS,
)
_RETRY = flags.DEFINE_bool(
  'retry',
  False,
  'Runs the cells that failed once more, from their beginning.',
  flag_values=FLAGS,
)
_of_data = data_flags.define(FLAGS)


def suite(fields: dict[str, str], *given: str) -> None:
  """Runs what is left of a grid."""
  if not given:
    raise UserError('GRID: missing; name a TOML file')
  [path] = given
  held = grid.read(path)
  cells = _asked(held.cells)
  folder = pathlib.Path(_WORKDIR.value or f'runs/{pathlib.Path(path).stem}')
  ledger = Ledger(folder, held.judge, fields)
  told = [] if FLAGS['quiet'].value else [*writers(None, recipe.COMMON, True)]
  runner = Runner(held.judge, folder, _of_data(), fields, told)
  left = [cell for cell in cells if _is_left(ledger, cell)]
  seconds = sum(cell.seconds for cell in left)
  print(
    f'{len(cells)} cells, {len(left)} to run: {clock(seconds)} of distilling, '
    'at most, and their scores'
  )
  for i, cell in enumerate(left, 1):
    line = _line(runner, cell, ledger)
    ledger.add(line)
    print(f'{cell.name} ({i} of {len(left)}): {_told(line)}', flush=True)
  failed = [name for name, line in ledger.lines.items() if 'error' in line]
  if failed:
    print(f'failed: {", ".join(failed)}; --retry runs them once more')
  print(f'written: {ledger.path}')


def _asked(cells: tuple[Cell, ...]) -> list[Cell]:
  wanted = _DATASETS.value
  known = list(dict.fromkeys(cell.dataset for cell in cells))
  for name in wanted or ():
    if name not in known:
      raise UserError(
        f'--datasets={name}: not in the grid; allowed are {", ".join(known)}'
      )
  return [c for c in cells if wanted is None or c.dataset in wanted]


def _is_left(ledger: Ledger, cell: Cell) -> bool:
  line = ledger.lines.get(cell.name)
  return line is None or ('error' in line and bool(_RETRY.value))


def _line(runner: Runner, cell: Cell, ledger: Ledger) -> dict[str, Any]:
  """What a cell gives, or its error: the others do not depend on it."""
  if runner.writers:
    print(f'{cell.name} ...', file=sys.stderr, flush=True)
  try:
    changes = ledger.changes(cell)
    if changes is None:
      changes = runner.measured(cell)
      ledger.keep(cell, changes)
    return runner.run(cell, changes, anew=cell.name in ledger.lines)
  except (Interrupted, Stop):
    raise
  except Exception as error:
    kind = '' if isinstance(error, UserError) else f'{type(error).__name__}: '
    text = f'{kind}{one_line(error)}'
    about = cell._asdict()
    given = about.pop('seconds')
    return {'cell': cell.name, 'seconds_given': given, **about, 'error': text}


def _told(line: dict[str, Any]) -> str:
  if 'error' in line:
    return f'failed: {line["error"]}'
  scores = [
    f'{command_line.percent(found["test_accuracy"])} ({found["protocol"]})'
    for found in line['networks'].values()
  ]
  return ', '.join(scores)


COMMAND = command_line.Command(
  'suite', __doc__, FLAGS, suite, ('GRID',), takes_fields=True
)
"""The command that runs a grid."""
