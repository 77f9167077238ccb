"""Scores of one set with several networks, as a table of text."""

from collections.abc import Mapping
from typing import Any

from dd_jax.run import metric_table
from dd_jax.run.command_line import percent
from dd_jax.run.text_table import aligned


def text(found: Mapping[str, Mapping[str, Any]]) -> str:
  """A row for each protocol and baseline, a column for each network.

  Args:
    found: what `record.score` gives, by the name of the network.
  """
  columns = {name: _column(name, scores) for name, scores in found.items()}
  names = list(next(iter(columns.values())))
  rows = [['test accuracy', *columns]]
  rows += [[row, *(c[row] for c in columns.values())] for row in names]
  return aligned(rows)


def _column(name: str, scores: Mapping[str, Any]) -> dict[str, str]:
  """A network's cells by the names of the rows, which all have alike."""
  cells = {_plain(scores['protocol'], name): percent(scores['test_accuracy'])}
  for metric, measure in scores['test_accuracy'].get('metrics', {}).items():
    cells[f'  {metric}'] = metric_table.cell(measure)
  for other, score in scores['other_scores'].items():
    cells[_plain(score.get('protocol', other), name)] = percent(score)
  for baseline, score in scores['baselines'].items():
    cells[f'{baseline} (baseline)'] = percent(score)
  return cells


def _plain(protocol: str, network: str) -> str:
  """`dc (500 steps)` of `dc (500 steps, convnet width=64)`."""
  own, _, told = protocol.removesuffix(')').partition(' (')
  parts = [p for p in told.split(', ') if p.split(' ')[0] not in ('', network)]
  return f'{own} ({", ".join(parts)})' if parts else own
