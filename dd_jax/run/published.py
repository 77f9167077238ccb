"""Published figures, as the recipes in `recipes/published` tell them."""

import importlib
import itertools
import re

from dd_jax import recipes
from dd_jax.types import UserError

_PAPER = re.compile(r'arXiv [\d.]+\d')
_FOLDER = 'published'


def figure(
  method: str, dataset: str, ipc: int, protocol: str
) -> tuple[float, str] | None:
  """The accuracy in percent that was published, and the paper.

  Args:
    method: by name, as the next.
    dataset: which.
    ipc: images per class.
    protocol: of the score beside it, as that is named.

  Returns:
    None where nothing was published, or under another protocol.
  """
  if recipes.find(f'{_FOLDER}/{method}') is None:
    return None
  module = importlib.import_module(f'{recipes.__name__}.{_FOLDER}.{method}')
  told = module.__doc__ or ''
  accuracy = figures(told).get(dataset, {}).get(ipc)
  paper = _PAPER.search(told)
  if accuracy is None or paper is None:
    return None
  try:
    section = module.get_config(dataset, ipc)['evaluation']
  except UserError:
    return None  # a figure without settings
  upright = ' (no flips)' if section['mirror'] == 'never' else ''
  own = section['protocol']
  return (accuracy, paper[0]) if protocol in (own, own + upright) else None


def figures(told: str) -> dict[str, dict[int, float]]:
  """Accuracies by data set and images per class, of a recipe's docstring.

  Of a table with several groups of columns the first is read: the method as it
  is by default.
  """
  rows = [
    [cell.strip() for cell in line.split('|')]
    for line in told.splitlines()
    if '|' in line
  ]
  if not rows or rows[0][0] != 'data set':
    return {}
  first, *others = rows[0][1:]
  heads = [first.rpartition(':')[2], *others]
  counts = [
    int(head.replace(',', '')) for head in itertools.takewhile(_is_count, heads)
  ]
  return {
    name: {
      count: float(cell)
      for count, cell in zip(counts, accuracies, strict=False)
      if cell
    }
    for name, *accuracies in rows[1:]
  }


def _is_count(head: str) -> bool:
  return head.replace(',', '').strip().isdecimal()
