"""Runs side by side: what is more than noise, and the table in every form."""

import csv
import io
import math

import numpy as np
import pytest

from dd_jax.report import comparison


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
  return [e for k, r in records.items() for e in comparison.entries(k, r)]


def test_learners_of_the_same_seeds_are_paired():
  """The deviation of the gaps, and not of each."""
  values = [[90.0, 80.0, 70.0], [89.0, 79.5, 68.5]]
  a, b = (
    comparison.entries(n, record(float(np.mean(v)), 10.0, values=v))[0]
    for n, v in zip('ab', values, strict=True)
  )
  lead, noise, how = comparison.difference(a, b)
  images = 100 * math.hypot(
    *(math.sqrt(m * (1 - m) / 1e4) for m in (0.8, 0.79))
  )
  gaps = np.std([1.0, 0.5, 1.5], ddof=1) / math.sqrt(3)
  assert lead == pytest.approx(1.0)
  assert noise == pytest.approx(math.hypot(gaps, images))
  assert 'paired' in how
  _, loose, how = comparison.difference(a, b._replace(seed=1))
  each = 10 / math.sqrt(3)
  assert loose == pytest.approx(math.hypot(each, each, images))
  assert 'paired' not in how


def test_only_scores_of_one_kind_meet():
  found = entries(
    a=record(90.0), b=record(80.0, seed=1), c=record(95.0, dataset='digits')
  )
  said = comparison.statements(found)
  assert len(said) == 2  # dc on MNIST, krr-ntk on MNIST
  (line,) = [s for s in said if s.startswith('dc: ')]
  assert 'a leads b by 10.00 points, more than the noise' in line
  near = comparison.statements(entries(a=record(90.0), b=record(89.9, seed=1)))
  assert 'within the noise' in near[0]


def test_the_table_in_every_form():
  found = entries(a=record(90.0), b=record(80.0, method='<b>', seed=1))
  plain = comparison.text(found).splitlines()
  assert plain[0].split()[:2] == ['run', 'method'] and len(plain) == 5
  assert '90.0 ± 0.5' in plain[1] and '2 KiB' in plain[1]
  assert '50.0 ± 1.0' in plain[1] and '1 min 1 s' in plain[1]
  rows = list(csv.DictReader(io.StringIO(comparison.table_of_values(found))))
  assert [float(r['mean']) for r in rows] == [90, 70, 80, 70]
  assert rows[0]['stored_bytes'] == '2048' and rows[1]['random_mean'] == ''
  assert comparison.markdown(found).count('\n| ') == 5
  page = comparison.page(found)
  assert '<b>' not in page and '&lt;b&gt;' in page and '90.0 ± 0.5' in page
