"""Metrics from the configuration to the record, the cache and the tables."""

import dataclasses
import json
import types

import jax
import numpy as np
import pytest

from dd_jax.cache import Cache
from dd_jax.data.prepare import prepare
from dd_jax.run import limits, metric_table, network_table, recipe
from dd_jax.run.record import score
from dd_jax.run.references import References
from dd_jax.run.scoring import Scorer
from dd_jax.types import DistilledData, UserError

ASKED = ('nll', 'ece', 'agreement', 'fgsm', 'contrast')


@pytest.fixture(scope='module')
def scorer(bright_rows, tmp_path_factory):
  folder = tmp_path_factory.mktemp('cache')

  def make(**evaluation):
    config = recipe.default('dm')
    small = {'name': 'mlp', 'width': 4, 'depth': 1}
    alone = {
      'protocol': 'dc', 'others': (), 'baselines': ('random',), 'learners': 2,
      'network': small, 'steps': 5, 'whole': 'no', 'metrics': ASKED,
      'metric_examples': 12,
    }  # fmt: skip
    recipe.update(config, {'ipc': 2, 'evaluation': {**alone, **evaluation}})
    limits.check(config)
    return Scorer(config, prepare(bright_rows), Cache(folder))

  return make


@pytest.fixture(scope='module')
def found(scorer):
  made = scorer()
  data = DistilledData(*made.prepared.train.take(np.arange(6)))
  return score(made, data)


def test_a_record_holds_them_for_the_set_and_what_stands_beside_it(found):
  own = found['test_accuracy']['metrics']
  assert tuple(own) == ASKED
  random = found['baselines']['random']['metrics']
  assert tuple(random) == ('nll', 'ece', 'fgsm', 'contrast')  # one learner each
  for measure in (*own.values(), *random.values()):
    assert len(measure['values']) == 2 and measure['std'] is not None
  assert '12 test images' in own['fgsm']['about']
  assert len(own['contrast']['levels']) == 5
  json.dumps(found, allow_nan=False)


def test_a_cached_baseline_keeps_them(scorer, found, monkeypatch):
  made = scorer()
  monkeypatch.setattr(References, '_fresh', None)
  data = DistilledData(*made.prepared.train.take(np.arange(6)))
  assert score(made, data) == found


def test_metrics_do_not_change_the_accuracy(scorer, found):
  made = scorer(metrics=())
  data = DistilledData(*made.prepared.train.take(np.arange(6)))
  plain = score(made, data)
  assert 'metrics' not in plain['test_accuracy']
  assert plain['test_accuracy']['values'] == found['test_accuracy']['values']
  assert metric_table.text(plain) == ''


def test_another_protocol_leaves_out_what_it_has_not_and_says_so(scorer):
  told = []
  writer = types.SimpleNamespace(message=told.append)
  made = scorer(others=('krr-ntk',), metrics=('ece', 'contrast'))
  dataclasses.replace(made, writers=(writer,)).check()
  [line] = told
  assert line.startswith('krr-ntk ') and line.endswith('no ece')
  data = DistilledData(*made.prepared.train.take(np.arange(6)))
  scores = made.scores(jax.random.key(0), data)
  assert {k: tuple(s.metrics) for k, s in scores.items()} == {
    'dc': ('ece', 'contrast'),
    'krr-ntk': ('contrast',),
  }


def test_tables(found):
  lines = metric_table.text(found).splitlines()
  assert len(lines) == 1 + len(ASKED) and 'random' in lines[0]
  fgsm = found['test_accuracy']['metrics']['fgsm']
  [row] = [line for line in lines if line.startswith('fgsm')]
  assert f'{fgsm["mean"]:.2f} % ± {fgsm["std"]:.2f}' in row
  other = json.loads(json.dumps(found).replace('mlp', 'other'))
  both = network_table.text({'mlp': found, 'other': other})
  assert sum('fgsm' in line for line in both.splitlines()) == 1


@pytest.mark.parametrize(
  'change, said',
  [
    ({'metrics': ('eec',)}, r"evaluation\.metrics='eec'.*did you mean ece"),
    ({'protocol': 'krr-ntk', 'metrics': ('nll',)}, r"'nll': krr-ntk.*no prob"),
    ({'attack': -1.0}, r'evaluation\.attack=-1\.0'),
  ],
)
def test_what_does_not_suit_is_refused(scorer, change, said):
  with pytest.raises(UserError, match=said):
    scorer(**change).check()
