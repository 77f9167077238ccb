"""Curves: ticks, thinning, gaps, and SVG that parses."""

import math
import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest

from dd_jax.report import curves

Rows = list[dict[str, Any]]


def _rows(values: list[float], name: str = 'loss') -> Rows:
  return [{'step': i + 1, name: value} for i, value in enumerate(values)]


def _parsed(rows: Rows) -> ElementTree.Element:
  chart = curves.loss_chart(rows)
  assert chart is not None
  return ElementTree.fromstring(curves.standalone([chart]))


def _kind(root: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
  return [e for e in root.iter() if e.get('class') == kind]


def test_thin_keeps_ends_means_and_extremes() -> None:
  value = np.arange(5000.0)
  value[[7, 4000]] = [1e6, -1e6]
  curve = curves.thin(np.stack([np.arange(1, 5001), value], 1), 100)
  assert len(curve.step) == 100
  assert curve.step[-1] == 5000
  assert curve.high.max() == 1e6 and curve.low.min() == -1e6
  np.testing.assert_allclose(curve.value[10], value[500:550].mean())


def test_thin_skips_nan() -> None:
  value = np.ones(5000)
  value[::2] = math.nan
  value[100:200] = math.nan
  curve = curves.thin(np.stack([np.arange(5000), value], 1), 100)
  assert np.isnan(curve.value).sum() == 2
  assert np.nanmax(curve.value) == np.nanmin(curve.value) == 1


def test_few_points_are_kept() -> None:
  points = np.array([[1.0, 3.0], [2.0, 4.0]])
  np.testing.assert_array_equal(curves.thin(points).value, [3, 4])


def test_one_point_is_a_dot() -> None:
  root = _parsed(_rows([0.5]))
  assert len(_kind(root, 'dot')) == 1


def test_a_gap_is_a_gap() -> None:
  root = _parsed(_rows([3, 2, math.nan, math.inf, 1, 1]))
  assert len(_kind(root, 'curve')) == 2


def test_log_only_where_it_spans_decades() -> None:
  def name(values: list[float]) -> str | None:
    return _kind(_parsed(_rows(values)), 'name')[0].text

  assert name([1, 1e-4]) == 'Loss, log scale'
  assert name([1, 0.5]) == 'Loss'
  assert name([1, -1e-4]) == 'Loss'


def test_every_point_lies_in_the_picture() -> None:
  rows = _rows(list(np.geomspace(1e3, 1e-5, 300)))
  for path in _kind(_parsed(rows), 'curve'):
    numbers = path.get('d', '')[1:].replace('L', ' ').split()
    points = np.array(numbers, float).reshape(-1, 2)
    assert (points >= 0).all() and (points <= [480, 270]).all()


@pytest.mark.parametrize('rows', [[], [{'step': 1}], _rows([math.nan] * 3)])
def test_nothing_to_draw(rows: Rows) -> None:
  assert curves.loss_chart(rows) is None
  assert curves.validation_chart(rows, None) is None
  ElementTree.fromstring(curves.standalone([]))


def test_the_selected_step_is_marked() -> None:
  rows = _rows([50, 60, 55], 'accuracy')
  chart = curves.validation_chart(rows, 2)
  assert chart is not None
  root = ElementTree.fromstring(curves.standalone([chart]))
  assert _kind(root, 'mark')[0].text == 'step 2'
  ring = _kind(root, 'ring')[0]
  second = _kind(root, 'dot')[1]
  assert (ring.get('cx'), ring.get('cy')) == (
    second.get('cx'),
    second.get('cy'),
  )


@pytest.mark.parametrize(
  'values',
  [
    [0.00575, 0.0061],
    [1.0, 1e-8],
    [2.302585093, 2.302585094],
    [-12345.6, -12345.7],
    [-3e-11, 5e-12],
    [123_456_789.0, 987_654_321.0],
    [0.0] * 5,
  ],
)
def test_no_label_leaves_the_picture(values: list[float]) -> None:
  """Letters are at most 8.3 pixels wide at 13, in the widest usual font."""
  for label in _kind(_parsed(_rows(values)), 'tick'):
    width, at = 8.3 * len(label.text or ''), float(label.get('x', ''))
    before = {'start': 0.0, 'middle': 0.5, 'end': 1.0}[
      label.get('text-anchor', '')
    ]
    assert at - before * width >= 0, label.text
    assert at + (1 - before) * width <= 480 + 8, label.text


def test_accuracies_end_at_a_hundred() -> None:
  rows = _rows([99.9, 100.0], 'accuracy')
  chart = curves.validation_chart(rows, 2)
  assert chart is not None
  root = ElementTree.fromstring(curves.standalone([chart]))
  told = [e.text for e in _kind(root, 'tick')]
  assert '100' in ' '.join(filter(None, told)) and '100.5' not in told
  ring = _kind(root, 'ring')[0]
  assert float(ring.get('cy', '')) == 48  # the top of the frame


def test_losses_that_are_never_negative_start_no_lower_than_zero() -> None:
  root = _parsed(_rows([0.0, 0.5, 1.0]))
  assert not any('\N{MINUS SIGN}' in (e.text or '') for e in root.iter())
