"""Several runs on a page of their own, in the style of the reports."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from dd_jax.report import comparison, formats, heat_map, pictures, scatter
from dd_jax.report.document import document
from dd_jax.report.entry import Entry
from dd_jax.report.markup import Markup, element
from dd_jax.report.noise import statements

_CLASSES = 10  # of which images are shown
_EACH = 5  # images of a class that are shown
_SIDE = 28  # pixels that an image becomes, at least


def page(found: Sequence[Entry], images: Mapping[str, np.ndarray]) -> str:
  """Returns the page as HTML.

  Args:
    found: scores, in the order of the table.
    images: uint8 `[k, n, h, w, c]` of sets, by run: n of each of k classes.
  """
  title = 'Distilled sets compared'
  lines = [element('li', {}, line) for line in statements(found)]
  body = element(
    'main',
    {},
    element('h1', {}, title),
    _section('Scores', element('div', {'class': 'wide'}, _table(found))),
    _section('What it takes', *_charts(found)),
    _section('On other networks', *_heat_maps(found)),
    _section('Images', *_figures(images)),
    _section('More than noise?', *([element('ul', {}, *lines)] * bool(lines))),
  )
  return document(title, body, style=_STYLE)


def _section(title: str, *content: Markup) -> Markup:
  if not content:
    return Markup('')
  return element('section', {}, element('h2', {}, title), *content)


def _table(found: Sequence[Entry]) -> Markup:
  shown = comparison.shown_columns(found)
  rows = [
    element(
      'tr',
      {},
      *(
        element(tag, {'class': 'n'} if i in comparison.NUMBERS else {}, row[i])
        for i in shown
      ),
    )
    for tag, row in [
      ('th', comparison.HEAD),
      *(('td', row) for row in comparison.cells(found)),
    ]
  ]
  return element(
    'table',
    {},
    element('thead', {}, rows[0]),
    element('tbody', {}, *rows[1:]),
  )


def _charts(found: Sequence[Entry]) -> Iterator[Markup]:
  """Of every kind with two scores, against bytes and against seconds."""
  for kind, group in _kinds(found, lambda e: e.kind):
    pairs = [
      chart
      for unit, cost in (
        ('stored bytes', lambda e: e.stored_bytes),
        ('seconds of distilling', lambda e: e.seconds),
      )
      if (chart := _chart(unit, cost, group)) is not None
    ]
    if pairs:
      yield element('h3', {}, _told(kind))
      yield element('div', {'class': 'charts'}, *pairs)


def _chart(
  unit: str, cost: Callable[[Entry], float | None], group: Sequence[Entry]
) -> Markup | None:
  points = [
    scatter.Point(
      entry.run, found, entry.score['mean'], entry.score.get('std') or 0.0
    )
    for entry in group
    if (found := cost(entry)) is not None
  ]
  if len({point.x for point in points}) < 2:
    return None  # no choice to look at
  return scatter.chart('Accuracy, %', unit, points)


def _heat_maps(found: Sequence[Entry]) -> Iterator[Markup]:
  named = [entry for entry in found if entry.network]
  plain = lambda e: (str(e.data), e.size, e.plain_protocol)
  for kind, group in _kinds(named, plain):
    if len({entry.network for entry in group}) > 1:
      shown = heat_map.table(_told(kind), group)
      yield element('div', {'class': 'wide'}, shown)


def _kinds(
  found: Sequence[Entry], kind: Callable[[Entry], tuple[str, str, str]]
) -> Iterator[tuple[tuple[str, str, str], list[Entry]]]:
  """Scored entries of each kind of which there are two or more."""
  scored = sorted((e for e in found if e.score), key=kind)
  for key, group in itertools.groupby(scored, kind):
    held = list(group)
    if len(held) > 1:
      yield key, held


def _told(kind: tuple[str, str, str]) -> str:
  data, size, protocol = kind
  return f'{formats.title(data)}, {size or "unknown size"}, under {protocol}'


def _figures(images: Mapping[str, np.ndarray]) -> Iterator[Markup]:
  if not images:
    return
  yield element(
    'p',
    {'class': 'lead'},
    f'A row for each class, the first {_CLASSES}; of each its first images, '
    f'{_EACH} at most.',
  )
  figures = [_figure(run, image) for run, image in images.items()]
  yield element('div', {'class': 'sets'}, *figures)


def _figure(run: str, image: np.ndarray) -> Markup:
  shown = image[:_CLASSES, :_EACH]
  classes, each, height = shown.shape[:3]
  scale = max(1, -(-_SIDE // height))
  flat = shown.reshape(classes * each, *shown.shape[2:])
  drawn = pictures.grid(flat, columns=each, scale=scale)
  source = pictures.data_uri(pictures.encode(drawn, 'exact'))
  told = f'{classes} classes of {run}, {each} images of each'
  return element(
    'figure',
    {},
    element('img', {'src': source, 'alt': told, 'width': drawn.shape[1]}),
    element('figcaption', {}, run),
  )


_STYLE = (
  scatter.STYLE
  + heat_map.STYLE
  + """
.wide{margin:1rem 0 2rem}
.wide td,.wide th{white-space:nowrap;overflow-wrap:normal}
td.n,th.n{text-align:right}
h3{margin-top:24px}
.sets{display:flex;flex-wrap:wrap;gap:24px 28px;align-items:flex-start}
.sets figure{max-width:180px}
.sets img{display:block;max-width:100%;height:auto}
.sets figcaption{font-size:13px;margin-top:6px}
ul{margin:.5rem 0 0 1.2rem;padding:0}
"""
)
