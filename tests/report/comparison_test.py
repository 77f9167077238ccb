"""Runs side by side: what is more than noise, and the table in every form."""

import csv
import io
import math
import re

import numpy as np
import pytest

from dd_jax.report import comparison, heat_map, noise, scatter
from dd_jax.report.comparison_page import page
from dd_jax.report.entry import entries as of_record
from dd_jax.report.entry import over_seeds


def record(mean, std=0.5, seed=0, values=None, **more):
  shown = values or [mean - std, mean + std]
  return {
    'method': 'dm',
    'dataset': 'mnist',
    'images_per_class': 1,
    'protocol': 'dc',
    'test_accuracy': {
      'mean': mean, 'std': std, 'values': shown, 'runs': '2 learners',
    },
    'baselines': {'random': {'mean': 50.0, 'std': 1.0, 'values': [49, 51]}},
    'other_scores': {'krr-ntk': {'mean': 70.0, 'std': None, 'values': [70.0]}},
    'test_set': {'examples': 10_000},
    'stored_bytes': 2048,
    'seconds': {'distil': 61.0},
    'seed': seed,
    **more,
  }  # fmt: skip


def entries(**records):
  return [e for k, r in records.items() for e in of_record(k, r)]


def test_learners_of_the_same_seeds_are_paired():
  """The deviation of the gaps, and not of each."""
  values = [[90.0, 80.0, 70.0], [89.0, 79.5, 68.5]]
  a, b = (
    of_record(n, record(float(np.mean(v)), 10.0, values=v))[0]
    for n, v in zip('ab', values, strict=True)
  )
  lead, error, how = noise.difference(a, b)
  images = 100 * math.hypot(
    *(math.sqrt(m * (1 - m) / 1e4) for m in (0.8, 0.79))
  )
  gaps = np.std([1.0, 0.5, 1.5], ddof=1) / math.sqrt(3)
  assert lead == pytest.approx(1.0)
  assert error == pytest.approx(math.hypot(gaps, images))
  assert 'paired' in how
  _, loose, how = noise.difference(a, b._replace(seeds=(1,)))
  each = 10 / math.sqrt(3)
  assert loose == pytest.approx(math.hypot(each, each, images))
  assert 'paired' not in how


def test_only_scores_of_one_kind_meet():
  found = entries(
    a=record(90.0), b=record(80.0, seed=1), c=record(95.0, dataset='digits')
  )
  said = noise.statements(found)
  assert len(said) == 2  # dc on MNIST, krr-ntk on MNIST
  (line,) = [s for s in said if s.startswith('dc: ')]
  assert 'a leads b by 10.00 points, more than the noise' in line
  near = noise.statements(entries(a=record(90.0), b=record(89.9, seed=1)))
  assert 'within the noise' in near[0]


def test_sets_of_unequal_classes_meet_those_of_their_size():
  uneven = {'images_per_class': None, 'images_by_class': [3, 2]}
  others = {'images_per_class': None, 'images_by_class': [4, 4]}
  found = entries(
    a=record(90.0, **uneven), b=record(80.0, **uneven), c=record(85.0, **others)
  )
  said = noise.statements(found)
  assert len(said) == 2 and not any('c' in s.split() for s in said)
  assert {entry.size for entry in found} == {'5 in all', '8 in all'}


def test_of_a_suite_the_seconds_are_those_that_were_given():
  spent = {'init': 9.0, 'compile': 8.0, 'experts': 2.0, 'distil': 3.0}
  [run, cell] = (
    of_record('r', record(90.0, seconds=spent, **more))[0].seconds
    for more in ({}, {'seconds_given': 5.0})
  )
  assert (run, cell) == (20.0, 5.0)


def test_the_table_in_every_form():
  found = entries(a=record(90.0), b=record(80.0, method='<b>', seed=1))
  plain = comparison.text(found).splitlines()
  assert plain[0].split()[:2] == ['run', 'accuracy'] and len(plain) == 5
  assert '90.0 ± 0.5' in plain[1] and '2 KiB' in plain[1]
  assert '50.0 ± 1.0' in plain[1] and '1 min 1 s' in plain[1]
  rows = list(csv.DictReader(io.StringIO(comparison.table_of_values(found))))
  assert [float(r['mean']) for r in rows] == [90, 70, 80, 70]
  assert rows[0]['stored_bytes'] == '2048' and rows[1]['random_mean'] == ''
  assert comparison.markdown(found).count('\n| ') == 5
  images = {'a': np.zeros((2, 3, 4, 4, 1), np.uint8)}
  shown = page(found, images)
  assert '<b>' not in shown and '&lt;b&gt;' in shown and '90.0 ± 0.5' in shown
  assert 'alt="2 classes of a, 3 images of each"' in shown


def test_two_deviations_of_several_seeds():
  """Over the sets that of their means; over learners, pooled."""
  spreads, means = [1.0, 3.0, 2.0], [80.0, 84.0, 88.0]
  each = [
    of_record('a', record(m, s, seed=i))[0]
    for i, (m, s) in enumerate(zip(means, spreads, strict=True))
  ]
  both = over_seeds(each)
  assert both.score['mean'] == 84 and both.score['std'] == np.std(means, ddof=1)
  assert both.of_learners == pytest.approx(np.sqrt(np.mean(np.square(spreads))))
  assert both.score['runs'] == '3 seeds, 2 learners' and both.seeds == (0, 1, 2)
  other = over_seeds(
    [e._replace(score={**e.score, 'mean': 83.0}) for e in each]
  )
  _, _, how = noise.difference(both, other)
  assert how.startswith('seeds 2.31, paired')
  assert over_seeds(each[:1]) is each[0]


def test_scores_of_several_networks_are_a_map():
  name = 'convnet width=8'
  told = {'convnet width=8': 'dc (9 steps, convnet width=8)', 'mlp': 'dc (mlp)'}
  found = [
    of_record(run, record(mean, network=n, protocol=told[n]))[0]
    for run, mean, n in (
      ('a', 90.0, name),
      ('b', 60.0, name),
      ('b', 80.0, 'mlp'),
    )
  ]
  assert [e.plain_protocol for e in found] == ['dc (9 steps)'] * 2 + ['dc']
  table = heat_map.table('all', found)
  assert table.count('<th scope="row"') == 2
  assert table.index('>a<') < table.index('>b<')  # the best first
  assert 'accent) 55%' in table and 'accent) 0%' in table
  assert '<td class="score"></td>' in table  # of a, by the mlp


def test_points_are_where_their_numbers_say():
  points = [
    scatter.Point(f'p{i}', x, 50 + i, 1.0) for i, x in enumerate((1, 9, 5))
  ]
  drawn = scatter.chart('Accuracy, %', 'seconds', points)
  centres = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', drawn)
  x, y = np.array(centres, float).T  # the best first: p2, p1, p0
  assert (x[0] - x[2]) / (x[1] - x[2]) == pytest.approx(0.5, abs=1e-2)
  assert y[0] - y[1] == pytest.approx(y[1] - y[2], abs=0.2) and y[0] < y[2]


@pytest.mark.parametrize('seed', range(5))
def test_names_keep_their_distance_their_order_and_the_picture(seed):
  rng = np.random.default_rng(seed)
  wanted = np.sort(rng.uniform(40, 240, 9)).tolist()
  found = np.array(scatter.apart(wanted, 40, 240))
  assert (np.diff(found) >= scatter.LINE - 1e-9).all()
  assert found[0] >= 40 - 1e-9 and found[-1] <= 240 + 1e-9
  far = [50.0, 100.0, 200.0]
  assert scatter.apart(far, 40, 240) == far


def test_labels_and_metrics_have_their_columns():
  """In every form; without any, no form has them."""
  own = record(90.0)
  measure = {'mean': 3.25, 'std': 0.5, 'unit': '%', 'about': '15 bins'}
  own['test_accuracy']['metrics'] = {'ece': measure}
  found = entries(a={**own, 'labels': {'kind': 'teacher'}}, b=record(80.0))
  for told in (comparison.text, comparison.markdown):
    assert 'teacher' in told(found) and 'ece 3.2 ± 0.5 %' in told(found)
  assert 'ece 3.2' in page(found, {})
  rows = list(csv.DictReader(io.StringIO(comparison.table_of_values(found))))
  assert rows[0]['ece'] == '3.25' and rows[0]['labels'] == 'teacher'
  assert rows[-1]['ece'] == ''
  assert 'beyond' not in comparison.text(entries(b=record(80.0)))
