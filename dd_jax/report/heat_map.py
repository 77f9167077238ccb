"""Scores by network as a table whose cells are the darker the better."""

from collections.abc import Mapping, Sequence

from dd_jax.report import formats
from dd_jax.report.entry import Entry
from dd_jax.report.markup import Markup, element

_STRONGEST = 55  # percent of the accent colour: ink stays legible on it

STYLE = """
.heat td.score{text-align:right;padding:9px 12px;white-space:nowrap}
.heat th.score{text-align:right;padding:6px 12px;white-space:normal}
"""


def table(caption: str, found: Sequence[Entry]) -> Markup:
  """Returns a row for each run, a column for each network.

  Args:
    caption: above it.
    found: scores under one protocol, but for the network.
  """
  networks = list(dict.fromkeys(entry.network for entry in found))
  runs: dict[str, dict[str, Entry]] = {}
  for entry in found:
    runs.setdefault(entry.run, {})[entry.network] = entry
  means = [entry.score['mean'] for entry in found]
  ends = min(means), max(means)
  best = lambda run: -max(e.score['mean'] for e in runs[run].values())
  heads = [element('th', {'scope': 'col'}, '')]
  heads += [
    element('th', {'scope': 'col', 'class': 'score'}, n) for n in networks
  ]
  rows = [
    _row(run, runs[run], networks, ends) for run in sorted(runs, key=best)
  ]
  return element(
    'table',
    {'class': 'heat'},
    element('caption', {}, caption),
    element('thead', {}, element('tr', {}, *heads)),
    element('tbody', {}, *rows),
  )


def _row(
  run: str,
  held: Mapping[str, Entry],
  networks: Sequence[str],
  ends: tuple[float, float],
) -> Markup:
  scores = [_cell(held.get(network), ends) for network in networks]
  return element('tr', {}, element('th', {'scope': 'row'}, run), *scores)


def _cell(entry: Entry | None, ends: tuple[float, float]) -> Markup:
  if entry is None:
    return element('td', {'class': 'score'}, '')
  low, high = ends
  share = (entry.score['mean'] - low) / (high - low) if high > low else 0.5
  mixed = f'{_STRONGEST * share:.0f}%'
  style = f'background:color-mix(in srgb,var(--accent) {mixed},var(--page))'
  text = formats.accuracy(entry.score) or ''
  return element('td', {'class': 'score', 'style': style}, text)
