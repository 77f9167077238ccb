"""Sets several runs side by side, and says which differences are noise.

  dd-jax compare runs/mnist_dm_1_0 runs/mnist_kip_1_0 scores.json
  dd-jax compare runs/* --output=compared.html

RUN is a folder that `distill` wrote, of one seed or of several; a file of
`evaluate --output`; the results.jsonl of a suite; or a distilled.npz, which is
shown without a score. Scores of one protocol, on the same data at the same
number of images per class, are held against each other; a published figure
stands beside a score where it was measured under the same protocol.
"""

import pathlib
from collections.abc import Callable, Sequence

from absl import flags

from dd_jax.files import write_atomically
from dd_jax.report import comparison, noise
from dd_jax.report.comparison_page import page
from dd_jax.report.entry import Entry
from dd_jax.run import command_line, compared
from dd_jax.types import UserError

_TEXTS: dict[str, Callable[[Sequence[Entry]], str]] = {
  '.md': comparison.markdown,
  '.csv': comparison.table_of_values,
}
_PAGE = '.html'
_ENDINGS = f'{_PAGE}, {", ".join(_TEXTS)}'

FLAGS = command_line.new_flags()
_OUTPUT = flags.DEFINE_string(
  'output',
  None,
  f'Also write it to a file, of one of {_ENDINGS}; as {_PAGE} with plots and '
  'the images.',
  flag_values=FLAGS,
)


def compare(*runs: str) -> None:
  """Compares the runs that are named."""
  if not runs:
    raise UserError('RUN: missing; name two folders of runs or more')
  path = _OUTPUT.value
  ending = pathlib.Path(path).suffix if path else _PAGE
  if ending not in (_PAGE, *_TEXTS):
    raise UserError(f'--output={path}: must end in one of {_ENDINGS}')
  found = [entry for name in runs for entry in compared.found(name)]
  print(comparison.text(found))
  failed = [line for name in runs for line in compared.failures(name)]
  for line in (*noise.statements(found), *failed):
    print(line)
  if path:
    text = _page(runs, found) if ending == _PAGE else _TEXTS[ending](found)
    write_atomically(path, text.encode())
    print(f'written: {path}')


def _page(runs: Sequence[str], found: Sequence[Entry]) -> str:
  images = {k: v for name in runs for k, v in compared.image(name).items()}
  return page(found, images)


COMMAND = command_line.Command(
  'compare', __doc__, FLAGS, compare, ('RUN ...',), takes_fields=False
)
"""The command that sets runs side by side."""
