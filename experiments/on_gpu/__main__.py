r"""Measures on an accelerator what cannot be measured without one.

  python -m experiments.on_gpu --output=gpu --data=cifar10.npz --minutes=12
  python -m experiments.on_gpu --output=/tmp/rehearsal --rehearse

Stages, those first that are worth most: `right` (the same numbers as a CPU),
`fast` (steps a second at published settings), `good` (accuracy by published
recipes). A row is a JSON line of `rows.jsonl` in the folder, on disk as it
ends; what has a row is not measured again by the next call, and what failed is.
"""

import pathlib
import time

import jax
from absl import flags

from dd_jax.checks import check_name
from dd_jax.run import command_line
from dd_jax.run.machine import versions
from dd_jax.types import UserError
from experiments.on_gpu.fast import fast
from experiments.on_gpu.good import good
from experiments.on_gpu.journal import Journal
from experiments.on_gpu.points import Asked, Stage
from experiments.on_gpu.right import right
from experiments.on_gpu.work import work

STAGES: dict[str, Stage] = {'right': right, 'fast': fast, 'good': good}

command_line.load_parts()
FLAGS = command_line.new_flags()
_OUTPUT = flags.DEFINE_string(
  'output',
  None,
  'The folder of everything written.',
  flag_values=FLAGS,
)
_MINUTES = flags.DEFINE_float(
  'minutes',
  0.0,
  'No point is begun after these; 0: two for a rehearsal, else until all is '
  'done.',
  flag_values=FLAGS,
)
_STAGES = flags.DEFINE_list(
  'stages',
  list(STAGES),
  f'Of {", ".join(STAGES)}, in this order.',
  flag_values=FLAGS,
)
_CASES = flags.DEFINE_list(
  'cases',
  [],
  'These alone, by name, where the stages have them; all where none is named.',
  flag_values=FLAGS,
)
_DATA = flags.DEFINE_string(
  'data',
  None,
  'CIFAR-10 for the stage good: a name or a file, as --dataset takes it. '
  'Default: cifar10; the embedded digits for a rehearsal.',
  flag_values=FLAGS,
)
_REHEARSE = flags.DEFINE_bool(
  'rehearse',
  False,
  'Does all of it at tiny sizes.',
  flag_values=FLAGS,
)
command_line.define_compiling(FLAGS)


def on_gpu() -> None:
  """Does what the flags name."""
  start = time.monotonic()
  for name in _STAGES.value:
    check_name('--stages', name, STAGES)
  rehearse, minutes = _REHEARSE.value, _MINUTES.value
  if minutes < 0:
    raise UserError(f'--minutes={minutes:g}: allowed are 0 and more')
  if rehearse:
    minutes = minutes or 2.0
    jax.config.update('jax_disable_most_optimizations', True)
  end = start + 60 * minutes if minutes else float('inf')
  output = pathlib.Path(command_line.needed(_OUTPUT))
  output.mkdir(parents=True, exist_ok=True)
  asked = Asked(
    rehearse,
    _DATA.value or ('digits' if rehearse else 'cifar10'),
    output,
    lambda: end - time.monotonic(),
  )
  device = jax.devices()[0].device_kind
  same = {'device': device, 'rehearsal': rehearse, 'jax': versions()['jax']}
  journal = Journal(output / 'rows.jsonl', same)
  points = [(name, p) for name in _STAGES.value for p in STAGES[name](asked)]
  for name in _CASES.value:
    check_name('--cases', name, [point.name for _, point in points])
  chosen = [x for x in points if not _CASES.value or x[1].name in _CASES.value]
  later = work(chosen, asked, journal)
  print(f'{journal.path}: {later} points are left for another call')


if __name__ == '__main__':
  command_line.run(
    command_line.Command(
      'on_gpu', __doc__ or '', FLAGS, on_gpu, takes_fields=False
    )
  )
