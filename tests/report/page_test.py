"""The page: whole, balanced, escaped, small, and alone."""

import html.parser
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dd_jax import report

_VOID = {'br', 'hr', 'img', 'link', 'meta', 'source'}
_EVIL = '</td><script>alert("x")</script><img src=http://e.vil/ onerror=x>'


class _Page(html.parser.HTMLParser):
  """Reads a page; fails where elements do not balance."""

  def __init__(self, page: str):
    super().__init__()
    self.open: list[str] = []
    self.tags: list[tuple[str, dict[str, str | None]]] = []
    self.words: list[str] = []
    self.feed(page)
    self.close()
    assert not self.open

  def handle_starttag(
    self, tag: str, attrs: list[tuple[str, str | None]]
  ) -> None:
    self.tags.append((tag, dict(attrs)))
    if tag not in _VOID:
      self.open.append(tag)

  def handle_endtag(self, tag: str) -> None:
    assert self.open.pop() == tag

  def handle_data(self, data: str) -> None:
    if self.open[-1:] != ['style']:
      self.words.append(data)

  @property
  def text(self) -> str:
    return ''.join(self.words)


def _score(mean: float, std: float | None, protocol: str) -> dict[str, Any]:
  values = [mean] if std is None else [mean - std, mean + std]
  return {'protocol': protocol, 'mean': mean, 'std': std, 'values': values}


def _result() -> dict[str, Any]:
  return {
    'method': 'kip',
    'dataset': 'mnist',
    'images_per_class': 2,
    'stored_floats': 78400,
    'stored_bytes': 313600,
    'pixels': {'low': -10, 'high': 18.3, 'clipped': 0.961, 'rescaled': False},
    'decoded_images': 20,
    'protocol': 'krr-ntk',
    'selection': 'best validation accuracy, at step 3',
    'selected_step': 3,
    'test_accuracy': _score(96.5, None, 'krr-ntk'),
    'baselines': {
      'random': _score(84.1, 0.9, 'krr-ntk'),
      'herding': _score(88.4, 0.3, 'krr-ntk'),
      'kmeans': _score(90.2, 0.5, 'krr-ntk'),
    },
    'other_scores': {'dc': _score(71.2, 1.3, 'dc')},
    'steps': 4321,
    'seconds': {'compile': 3.1, 'distil': 61.0, 'evaluate': 12.5},
    'peak_memory_bytes': 1234567890,
    'versions': {'dd_jax': '0.1.0', 'jax': '0.10.2'},
    'seed': 17,
    'command': 'dd-jax distill --dataset=mnist --seed=17',
    'config': {'method': {'ridge': 1e-5, 'kernel': {'depth': 1}}},
    'notes': ['The ridge was raised tenfold.'],
    'data': {
      'name': 'mnist',
      'counts': {'train': 60000, 'test': 10000},
      'sha256': 'ab' * 32,
    },
    'preprocessing': {'recipe': 'standardise'},
  }


def _images(n: int, side: int, channels: int) -> np.ndarray:
  rng = np.random.default_rng(n)
  return rng.integers(0, 256, (n, side, side, channels)).astype(np.uint8)


def _page(
  result: dict[str, Any],
  *,
  n: int = 20,
  names: tuple[str, ...] = tuple('abcdefghij'),
  start: bool = True,
  metrics: int = 5,
) -> str:
  image = _images(n, 8, 1)
  label = np.random.default_rng(0).normal(size=(n, len(names)))
  rows = [{'step': i + 1, 'loss': 1 / (i + 1)} for i in range(metrics)]
  scored = [{'step': i + 1, 'accuracy': 90.0 + i} for i in range(metrics)]
  images = report.Images(image, image if start else None, names)
  return report.render(report.Report(result, images, label, rows, scored))


def test_every_field_is_told() -> None:
  page = _Page(_page(_result()))
  for said in (
    *('KIP on MNIST', '96.5', 'krr-ntk', '2 per class', '60,000'),
    *('best validation accuracy, at step 3', 'step 3', '+12.4 points'),
    *('84.1 ± 0.9', '88.4 ± 0.3', '90.2 ± 0.5', '71.2 ± 1.3', 'dc'),
    *('Random', 'Herding', 'k-means', '78,400', '306 KiB', '49.0'),
    *('3.1 s', '1 min 1 s', '12.5 s', '1.1 GiB', '4,321', 'ab' * 32),
    *('standardise', 'The ridge was raised tenfold.', '0.10.2', '17'),
    'Stored pixels lie from \N{MINUS SIGN}10.00 to 18.30, those of the data '
    'from 0 to 1; pictures clip 96.1\N{NO-BREAK SPACE}% of their values.',
    *('config.method.kernel.depth', '1e-05', 'Loss', 'Validation accuracy'),
    _result()['command'],
  ):
    assert said in page.text, said


def test_the_whole_training_set_is_told_as_what_it_is() -> None:
  result = _result()
  assert 'hole training set' not in _Page(_page(result)).text
  result['whole'] = {**_score(99.2, None, 'krr-ntk'), 'runs': 'exact'}
  page = _Page(_page(result)).text
  assert page.count('Whole training set') == 2 and '+2.7' in page
  assert '99.2\N{NO-BREAK SPACE}%' in page
  result['whole'] |= {'runs': '1 learner', 'epochs': 3.25}
  page = _Page(_page(result)).text
  assert page.count('Whole training set, 3.25 epochs') == 2
  result['whole'] = {'examples': 60000, 'left_out': 'it is large'}
  page = _Page(_page(result)).text
  assert 'The whole training set is not scored: it is large.' in page


def test_nothing_is_loaded_from_a_network() -> None:
  source = _page(_result())
  page = _Page(source)
  for tag, attributes in page.tags:
    assert tag not in {'script', 'link', 'iframe', 'object'}
    assert not any(name.startswith('on') for name in attributes)
    for name in ('src', 'href', 'srcset', 'xlink:href'):
      assert (attributes.get(name) or 'data:').startswith('data:')
  assert 'http:' not in source and 'https:' not in source
  assert '@import' not in source and 'url(' not in source
  policy = [a.get('content') or '' for t, a in page.tags if t == 'meta']
  assert any("default-src 'none'" in content for content in policy)


def test_it_can_be_heard() -> None:
  page = _Page(_page(_result()))
  assert all(a.get('alt') for tag, a in page.tags if tag == 'img')
  assert all(a.get('scope') for tag, a in page.tags if tag == 'th')
  charts = [a for tag, a in page.tags if tag == 'svg']
  assert len(charts) == 2 and all(a.get('aria-label') for a in charts)
  assert [t for t, _ in page.tags if t == 'caption'] == ['caption'] * 2


def test_what_users_say_is_escaped() -> None:
  result = _result()
  for name in ('method', 'selection', 'command', 'protocol', 'preprocessing'):
    result[name] = _EVIL
  result['notes'] = [_EVIL]
  result['data'] = {'name': _EVIL, 'counts': {_EVIL: 3}, 'sha256': _EVIL}
  result['baselines'][_EVIL] = _score(50.0, None, 'krr-ntk')
  result['other_scores'][_EVIL] = _score(50.0, None, _EVIL)
  result['seconds'][_EVIL] = 1.0
  result['versions'] = {_EVIL: _EVIL}
  result['config'] = {_EVIL: {_EVIL: _EVIL}}
  source = _page(result, names=(_EVIL, 'b'))
  page = _Page(source)
  assert '<script' not in source and '<img src=http' not in source
  assert page.text.count(_EVIL) > 10
  assert all((a.get('src') or 'data:')[:5] == 'data:' for _, a in page.tags)


def test_bare_results_still_make_a_page() -> None:
  page = _Page(_page({}, start=False, metrics=0))
  assert 'Not scored' in page.text
  assert 'Nothing was optimised' in page.text
  assert 'None' not in page.text and 'nan' not in page.text


@pytest.mark.parametrize(
  'name', [name for name in _result() if name != 'test_accuracy']
)
@pytest.mark.parametrize('absent', [True, False])
def test_any_field_may_be_missing(name: str, absent: bool) -> None:
  result = _result()
  result[name] = None
  if absent:
    del result[name]
  assert '96.5' in _Page(_page(result)).text


def test_a_deviation_is_shown_where_there_is_one() -> None:
  result = _result()
  result['test_accuracy'] = _score(64.9, 3.5, 'krr-ntk')
  page = _Page(_page(result))
  assert '64.9% ± 3.5' in page.text
  assert 'mean and deviation of 2 runs' in page.text


def test_the_page_says_how_much_it_shows() -> None:
  images = report.Images(_images(30, 128, 1), None, tuple(map(str, range(30))))
  page = report.render(report.Report({}, images, np.eye(30), [], []))
  said = _Page(page).text
  assert 'Scaled to 112 by 112 for this page' in said
  assert '30 classes: the frame scrolls' in said
  assert 'The first' not in said


def test_equal_selections_are_one_row() -> None:
  result = _result()
  result['baselines']['herding'] = dict(result['baselines']['kmeans'])
  page = _Page(_page(result))
  assert 'Herding, k-means' in page.text
  assert page.text.count('90.2 ± 0.5') == 1


def test_phases_have_colours_and_a_sum() -> None:
  source = _page(_result())
  assert '1 min 17 s' in _Page(source).text  # 3.1 + 61.0 + 12.5
  for phase in _result()['seconds']:
    assert f'class="phase-{phase}"' in source
    assert f'.phase-{phase}{{background' in source


def test_the_configuration_says_what_its_rules_came_to() -> None:
  result = _result()
  result['config'] = {'num_steps': -1, 'data': {'size': 0}, 'path': ''}
  result['resolved'] = {'num_steps': 422, 'path': 'trained'}
  page = _Page(_page(result))
  assert '422 (given: -1)' in page.text and 'config.data.size' in page.text
  assert "trained (given: '')" in page.text


def test_what_loading_did_is_listed_once() -> None:
  result = _result()
  note = 'no official test split: 30 of 180 examples held out'
  result['notes'].append(note)
  result['data'] |= {'notes': [note], 'validation': {'count': 12, 'seed': 3}}
  result['config']['image_size'] = 64
  page = _Page(_page(result))
  assert page.text.count(note) == 1
  assert '12 training images held out, chosen by seed 3' in page.text
  assert 'the shorter side to 64 pixels' in page.text


def test_warnings_come_first() -> None:
  result = _result()
  result['warnings'] = ['the gradient is exactly 0', _EVIL]
  page = _Page(_page(result)).text
  assert page.index('The gradient is exactly 0') < page.index('The ridge was')
  assert page.index('The ridge was') < page.index('Scores')
  assert 'Warnings' not in _Page(_page(_result())).text


def _unequal() -> dict[str, Any]:
  """Classes of 80 and 20; of the second, half are taken for the first."""
  result = _result()
  result['test_set'] = {'examples': 100, 'by_class': [80, 20], 'commonest': 80}
  result['test_accuracy'] |= {
    'interval': [89.2, 98.1],
    'balanced': 72.5,
    'runs': 'exact',
    'by_class': [100.0, 45.0],
    'confusion': [[80, 0, 0], [10, 9, 1]],
  }
  return result


def test_accuracy_by_class() -> None:
  result = _unequal()
  result['baselines']['random']['balanced'] = 61.5
  page = _Page(_page(result, names=('sound', 'ill'))).text
  for said in (
    *('0 sound', '1 ill', '45.0', 'sound (50.0 %)', 'exact'),
    *('95 % interval, 100 images', '89.2 to 98.1\xa0%', 'scores 80.0 %'),
    *('is 72.5 %', 'Balanced, %', '61.5'),
  ):
    assert said in page, said


def test_of_many_classes_the_worst_are_shown() -> None:
  result = _unequal()
  names = tuple(f'n{i:02}' for i in range(60))
  result['test_set']['by_class'] = [10] * 60
  result['test_accuracy']['by_class'] = [float(i) for i in range(60)]
  del result['test_accuracy']['confusion']
  page = _Page(_page(result, n=60, names=names)).text
  by_class = page[page.index('By class') : page.index('Distilled images')]
  assert '19 n19' in by_class and '20 n20' not in by_class
  assert '20 classes that are told worst, of 60' in by_class
  assert 'not equally large' not in by_class and 'Balanced' not in page


def test_the_machine_is_told() -> None:
  result = _result()
  result['machine'] = {'device': 'TPU v5', 'devices': 4, 'cores': 96}
  page = _Page(_page(result)).text
  assert '4 x TPU v5' in page and '96' in page


def test_baselines_of_another_protocol_are_no_comparison() -> None:
  result = _result()
  result['baselines']['random'] = _score(12.3, None, 'dc')
  page = _Page(_page(result))
  assert '12.3' not in page.text
  assert 'Against random' not in page.text


@pytest.mark.parametrize(('n', 'k'), [(1, 10), (10, 10), (7, 3), (300, 100)])
@pytest.mark.parametrize('start', [True, False])
def test_any_number_of_images(n: int, k: int, start: bool) -> None:
  names = tuple(f'name {i}' for i in range(k))
  page = _Page(_page(_result(), n=n, names=names, start=start))
  assert f'{n:,} distilled image{"s" * (n != 1)}' in page.text


@pytest.mark.parametrize('metrics', [1, 2])
def test_short_runs(metrics: int) -> None:
  _Page(_page(_result(), metrics=metrics))


def _write(folder: Path, image: np.ndarray, k: int, steps: int) -> list[Path]:
  label = np.random.default_rng(0).normal(size=(len(image), k))
  names = [f'class {i}' for i in range(k)]
  loss = np.random.default_rng(0).exponential(size=steps)
  metrics = [{'step': i + 1, 'loss': v} for i, v in enumerate(loss.tolist())]
  scored = [{'step': i, 'accuracy': 9.0} for i in range(100, steps, 100)]
  return report.write_report(
    folder, _result(), image, image[::-1], label, names, metrics, scored
  )


@pytest.mark.parametrize(
  ('n', 'side', 'k'), [(1000, 32, 10), (1000, 32, 100), (200, 128, 10)]
)
def test_large_sets_stay_small(
  tmp_path: Path, n: int, side: int, k: int
) -> None:
  files = _write(tmp_path, _images(n, side, 3), k, 10)
  page = tmp_path / 'report.html'
  assert page.stat().st_size < 3_000_000
  assert 'exactly, are in distilled.png' in _Page(page.read_text()).text
  assert sorted(tmp_path.iterdir()) == sorted(files)


def test_long_runs_stay_small(tmp_path: Path) -> None:
  _write(tmp_path, _images(20, 8, 1), 10, 500_000)
  assert (tmp_path / 'report.html').stat().st_size < 300_000
  assert (tmp_path / 'curves.svg').stat().st_size < 100_000


def test_write_report(tmp_path: Path) -> None:
  files = _write(tmp_path, _images(20, 8, 1), 10, 50)
  names = ['distilled.png', 'labels.png', 'curves.svg', 'report.html']
  assert [path.name for path in files] == names
  assert all(Image.open(path).width > 50 for path in files[:2])
  ElementTree.fromstring(files[2].read_text())
  _Page(files[3].read_text())


def test_a_result_read_back_makes_the_same_page() -> None:
  result = _result()
  assert _page(json.loads(json.dumps(result))) == _page(result)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
  with pytest.raises(OSError, match=re.escape('nowhere')):
    _write(tmp_path / 'nowhere', _images(20, 8, 1), 10, 5)


def test_metrics_stand_beside_those_of_the_baselines() -> None:
  result = _result()
  measure = {'mean': 3.25, 'std': 0.5, 'unit': '%', 'about': '15 bins'}
  result['test_accuracy']['metrics'] = {'ece': measure}
  result['baselines']['random']['metrics'] = {'ece': {**measure, 'mean': None}}
  text = _Page(_page(result)).text
  assert 'Beyond accuracy' in text and '3.2 ± 0.5' in text
  assert 'not finite' in text and '%; 15 bins' in text


def test_labels_are_named_under_the_scores() -> None:
  result = {**_result(), 'labels': {'kind': 'hard', 'selections': 'hard'}}
  assert 'Labels: hard.' in _Page(_page(result)).text
  teacher = {
    'network': {'name': 'mlp'},
    'parameters': 26122,
    'steps': 1500,
    'test_accuracy': 97.5,
    'temperature': 4.0,
  }
  result['labels'] = {'kind': 'teacher', 'teacher': teacher}
  text = _Page(_page(result)).text
  assert 'mlp, 26,122 parameters, 1,500 steps on real images' in text
  assert 'Labels:' not in _Page(_page(_result())).text
