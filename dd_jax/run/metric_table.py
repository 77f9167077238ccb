"""Metrics beyond accuracy, of a set and what stands beside it, as text."""

from collections.abc import Mapping
from typing import Any

from dd_jax.run.text_table import aligned


def text(found: Mapping[str, Any]) -> str:
  """A row for each metric, a column for the set and for each baseline.

  Args:
    found: what `record.score` gives.

  Returns:
    '' where no metric was asked for.
  """
  own = found['test_accuracy'].get('metrics', {})
  columns = {'the set': own}
  columns |= {k: v.get('metrics', {}) for k, v in found['baselines'].items()}
  for protocol, score in found['other_scores'].items():
    columns[f'under {protocol}'] = score.get('metrics', {})
  known = {k: v for k, v in columns.items() if v}
  names = list(dict.fromkeys(name for held in known.values() for name in held))
  if not names:
    return ''
  head = [f'under {found["protocol"]}', *known, '']
  rows = [
    [
      name,
      *(cell(held.get(name)) for held in known.values()),
      _about(name, own),
    ]
    for name in names
  ]
  return aligned([head, *rows])


def cell(measure: Mapping[str, Any] | None) -> str:
  """A metric's mean and deviation, with their unit."""
  if measure is None:
    return ''
  if measure['mean'] is None:
    return 'not finite'
  digits = 2 if measure['unit'] == '%' else 4
  spread = measure['std']
  told = '' if spread is None else f' ± {spread:.{digits}f}'
  return f'{measure["mean"]:.{digits}f} {measure["unit"]}{told}'


def _about(name: str, own: Mapping[str, Any]) -> str:
  return str(own[name]['about']) if name in own else ''
