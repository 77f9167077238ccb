"""The page that shows a run: one file, no scripts, nothing from a network."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dd_jax.report import (
  by_class,
  cost,
  curves,
  facts,
  formats,
  gallery,
  labels,
  metrics,
  scores,
)
from dd_jax.report.document import document
from dd_jax.report.markup import Markup, definitions, element, join


class Report(NamedTuple):
  """Everything a page shows.

  Attributes:
    result: as in result.json; whatever it lacks is left out. Beyond the
      usual fields, `data` (`name`, `counts` by split, `sha256`) and
      `preprocessing` (a line, or a mapping) are shown where given.
    images: distilled images, what they started from, class names.
    label: float `[n, k]`.
    metrics: rows of metrics.jsonl.
    validation: rows of validation.jsonl.
  """

  result: Mapping[str, Any]
  images: gallery.Images
  label: np.ndarray
  metrics: Sequence[Mapping[str, Any]]
  validation: Sequence[Mapping[str, Any]]


def render(report: Report, *, alone: bool = False) -> str:
  """Returns the page as HTML.

  Args:
    report: what it shows.
    alone: whether the run's other files do not lie beside it.
  """
  body = element(
    'main',
    {},
    _header(report),
    _warnings(report.result),
    _notes(report.result),
    _scores(report.result),
    _by_class(report),
    _section('Beyond accuracy', '', metrics.table(report.result)),
    _images(report),
    _labels(report),
    _section('Learning curves', _told(report), charts(report)),
    _cost(report),
    _data(report),
    _reproduce(report.result),
  )
  return document(facts.title(report.result), body, _foot(alone))


def render_set(report: Report) -> str:
  """Returns a page of a set alone, its images and labels, as HTML.

  Args:
    report: its `result` holds an artefact's metadata, and `pixels`.
  """
  known = 'method' in report.result
  title = facts.title(report.result) if known else 'A distilled set'
  head = element(
    'header',
    {},
    element('h1', {}, title),
    element('p', {'class': 'subtitle'}, _subtitle(report)),
  )
  body = element('main', {}, head, _images(report), _labels(report))
  return document(title, body)


def charts(report: Report) -> Markup:
  """Returns the learning curves that the run has points for."""
  drawn = curve_charts(report)
  return element('div', {'class': 'charts'}, *drawn) if drawn else Markup('')


def curve_charts(report: Report) -> list[Markup]:
  """Returns the loss and the validation chart, each where it has points."""
  found = (
    curves.loss_chart(report.metrics),
    curves.validation_chart(
      report.validation, formats.number(report.result.get('selected_step'))
    ),
  )
  return [chart for chart in found if chart is not None]


def _section(title: str, lead: object, *content: Markup) -> Markup:
  filled = [part for part in content if part]
  if not filled and not lead:
    return Markup('')
  said = [element('p', {'class': 'lead'}, lead)] if lead else []
  return element('section', {}, element('h2', {}, title), *said, *filled)


def _header(report: Report) -> Markup:
  result = report.result
  return element(
    'header',
    {},
    element('p', {'class': 'eyebrow'}, 'Dataset distillation'),
    element('h1', {}, facts.title(result)),
    element('p', {'class': 'subtitle'}, _subtitle(report)),
    element('div', {'class': 'hero'}, _headline(result), _facts(report)),
  )


def _subtitle(report: Report) -> str:
  n, each = len(report.images.image), facts.per_class_text(report.result)
  train = facts.train_count(report.result)
  place = f' in place of {train:,}' if train else ''
  per_class = f', {each}' if each else ''
  if facts.factorised(report.result):
    per_class = (
      f', decoded from the storage of {facts.plain_images(report.result)}'
    )
  return f'{n:,} distilled image{"s" * (n != 1)}{place}{per_class}'


def _headline(result: Mapping[str, Any]) -> Markup:
  score = scores.read('', result.get('test_accuracy'))
  if score is None:
    return element('div', {}, element('p', {}, 'Not scored on the test split.'))
  mean, _, std = (formats.accuracy(score._asdict()) or '').partition(' ')
  spread = element('small', {}, f'% {std}'.strip())
  runs = f', mean and deviation of {len(score.values)} runs' if std else ''
  return element(
    'div',
    {},
    element('p', {'class': 'big'}, mean, spread),
    element(
      'p',
      {},
      'test accuracy under the ',
      element('code', {}, facts.protocol(result)),
      f' protocol{runs}',
    ),
  )


def _facts(report: Report) -> Markup:
  result = report.result
  return definitions(
    [
      ('Against random', facts.lead(result, 'random')),
      (facts.whole_name(result), _of_all(result)),
      facts.interval(result) or ('', None),
      ('Stored', formats.size(result.get('stored_bytes'))),
      (
        'Decoded images',
        formats.count(result.get('decoded_images'))
        if facts.factorised(result)
        else None,
      ),
      ('Compression', _compression(report)),
      ('Distilled in', _duration(result)),
    ]
  )


def _duration(result: Mapping[str, Any]) -> str | None:
  """All of what a user waits for, and the outer steps alone."""
  whole = formats.duration(facts.distilling(result))
  steps = formats.duration(facts.mapping(result.get('seconds')).get('distil'))
  return f'{whole} (outer steps alone {steps})' if whole and steps else whole


def _of_all(result: Mapping[str, Any]) -> str | None:
  score = scores.read('', facts.whole(result))
  return score and f'{score.mean:.1f}\N{NO-BREAK SPACE}%'


def _compression(report: Report) -> str | None:
  stored = formats.number(report.result.get('stored_floats'))
  train = facts.train_count(report.result)
  if not stored or not train:
    return None
  pixels = int(np.prod(report.images.image.shape[1:]))
  return formats.ratio(train * pixels / stored)


def _warnings(result: Mapping[str, Any]) -> Markup:
  lines = map(str, result.get('warnings') or ())
  items = [element('li', {}, line[:1].upper() + line[1:]) for line in lines]
  if not items:
    return Markup('')
  kind = {'class': 'notes warnings', 'role': 'alert'}
  return _section('Warnings', '', element('ul', kind, *items))


def _notes(result: Mapping[str, Any]) -> Markup:
  notes = facts.notes(result)
  if not notes:
    return Markup('')
  items = [element('li', {}, note) for note in notes]
  return _section('Notes', '', element('ul', {'class': 'notes'}, *items))


def _scores(result: Mapping[str, Any]) -> Markup:
  protocol = facts.protocol(result)
  name = formats.title(result.get('method', 'This set'))
  found = [scores.read(name, result.get('test_accuracy'), own=True)]
  found += [
    scores.read(formats.title(key), entry)
    for key, entry in facts.comparable(result).items()
  ]
  found.append(scores.read(facts.whole_name(result), facts.whole(result)))
  rows = [score for score in found if score is not None]
  if not facts.unequal(facts.class_sizes(result)):
    rows = [score._replace(balanced=None) for score in rows]
  shown = scores.comparison(rows, protocol) if rows else Markup('')
  left_out = _left_out(result)
  lead = facts.selection(result)
  return _section(
    'Scores', lead, shown, _trained_on(result), left_out, _others(result)
  )


def _trained_on(result: Mapping[str, Any]) -> Markup:
  """Which labels the learners of that table were told."""
  said = facts.labels(result)
  told = f'Labels: {said}.'
  return element('p', {'class': 'caption'}, told) if said else Markup('')


def _left_out(result: Mapping[str, Any]) -> Markup:
  """Why the whole training set has no row."""
  reason = facts.whole(result).get('left_out')
  said = f'The whole training set is not scored: {reason}.'
  return element('p', {'class': 'caption'}, said) if reason else Markup('')


def _by_class(report: Report) -> Markup:
  found = by_class.table(report.result, report.images.class_names)
  return _section('By class', by_class.lead(report.result), found)


def _others(result: Mapping[str, Any]) -> Markup:
  rows = []
  for key, entry in facts.mapping(result.get('other_scores')).items():
    score = scores.read(str(key), entry)
    if score is not None:
      rows.append((str(facts.mapping(entry).get('protocol', key)), score))
  return scores.others(rows) if rows else Markup('')


def _images(report: Report) -> Markup:
  lead = f'{facts.pixels(report.result)} {gallery.lead(report.images)}'
  shown = gallery.figure(report.images)
  return _section('Distilled images', lead.strip(), shown)


def _labels(report: Report) -> Markup:
  lead = (
    'Fixed: the same two values for every image.'
    if _fixed(report.label)
    else 'What each image says about every class. Blue is against, orange for.'
  )
  names, counts = report.images.class_names, report.images.counts
  shown = labels.figure(report.label, names, counts)
  return _section('Labels', lead, shown)


def _fixed(label: np.ndarray) -> bool:
  hard = np.full_like(label, label.min(initial=np.inf))
  hard[np.arange(len(label)), label.argmax(axis=1)] = label.max(initial=0)
  return bool(np.array_equal(hard, label))


def _told(report: Report) -> str:
  steps = formats.count(report.result.get('steps'))
  if not len(report.metrics):
    return 'Nothing was optimised step by step.'
  if steps is None:
    return ''
  return f'{steps} outer step{"s" * (steps != "1")}.'


def _cost(report: Report) -> Markup:
  parts = [
    _part('Budget', cost.budget(report.result, _compression(report))),
    _part('Time and memory', cost.time(report.result)),
  ]
  return _section('Cost', '', element('div', {'class': 'split'}, *parts))


def _part(title: str, *content: Markup) -> Markup:
  return element('div', {}, element('h3', {}, title), *content)


def _data(report: Report) -> Markup:
  result = report.result
  found = facts.provenance(result)
  splits = facts.mapping(found.get('counts')).items()
  h, w, c = report.images.image.shape[1:]
  rows: list[tuple[str, object]] = [
    ('Name', found.get('name', facts.dataset(result))),
    *((f'{str(k).capitalize()} images', formats.count(v)) for k, v in splits),
    ('Image', f'{h} x {w}, {"grey" if c == 1 else "colour"}'),
    ('SHA-256', _hash(found.get('sha256'))),
  ]
  given = result.get('preprocessing')
  steps = definitions(
    [(str(k), facts.text(v)) for k, v in given.items()]
    if isinstance(given, Mapping)
    else [('Recipe', given)]
  )
  done = [element('li', {}, line) for line in facts.loading(result)]
  parts = [_part('Real data', definitions(rows))]
  if done:
    parts.append(_part('Loading', element('ul', {'class': 'done'}, *done)))
  if steps:
    parts.append(_part('Preprocessing', steps))
  return _section('Data', '', element('div', {'class': 'split'}, *parts))


def _reproduce(result: Mapping[str, Any]) -> Markup:
  command = result.get('command')
  versions = facts.mapping(result.get('versions')).items()
  rows: list[tuple[str, object]] = [('Seed', facts.text(result.get('seed')))]
  rows += [(str(name), facts.text(value)) for name, value in versions]
  return _section(
    'Reproduce',
    'One click selects the whole command.' if command else '',
    element('pre', {}, _words(command)) if command else Markup(''),
    _config(result),
    _folded('Seed and versions', '', definitions(rows)),
  )


def _config(result: Mapping[str, Any]) -> Markup:
  config, ruled = result.get('config'), facts.mapping(result.get('resolved'))
  flat = facts.flat('', config) if isinstance(config, Mapping) else []
  rows: list[tuple[str, object]] = [
    (f'config.{name}', _code(_stands_for(value, ruled.get(name))))
    for name, value in flat
  ]
  example = element('code', {}, '--config.FIELD=VALUE')
  hint = join(' · set one by ', example)
  return _folded('Resolved config', hint, definitions(rows))


def _stands_for(value: object, ruled: object) -> str:
  """A field's value; where a rule decides it, what that came to."""
  given = facts.text(value)
  if ruled is None:
    return given
  return f'{facts.text(ruled)} (given: {given or chr(39) * 2})'


def _folded(title: str, hint: object, content: Markup) -> Markup:
  if not content:
    return content
  summary = element('summary', {}, title, element('span', {}, hint))
  return element('details', {}, summary, content)


def _code(value: object) -> Markup:
  return element('code', {}, value) if value else Markup('')


def _hash(value: object) -> Markup:
  return element('code', {'class': 'hash'}, value) if value else Markup('')


def _words(command: object) -> Markup:
  """Returns a command that breaks between its words, not after a hyphen."""
  parts = re.split(r'(\s+)', str(command))
  return element(
    'code',
    {},
    *(part if part.isspace() else element('span', {}, part) for part in parts),
  )


def _foot(alone: bool) -> Markup:
  beside = (
    'Beside this page: distilled.npz (the set itself), distilled.png, '
    'labels.png, curves.svg, result.json, metrics.jsonl. '
  )
  said = element('p', {}, '' if alone else beside, 'Made by dd_jax.')
  return element('footer', {}, said)
