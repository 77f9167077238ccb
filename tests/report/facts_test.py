"""What a result says, from whole results and from ones with holes."""

import pytest

from dd_jax.report import facts

SCORES = {
  'test_accuracy': {'protocol': 'dc', 'mean': 92.0, 'std': 0.4},
  'baselines': {
    'random': {'protocol': 'dc', 'mean': 68.5},
    'herding': {'mean': 80.0},
    'kmeans': {'protocol': 'mtt', 'mean': 70.0},
  },
}


def test_the_set_is_told_in_either_form():
  told = {'name': 'mnist', 'counts': {'train': 60000}}
  for result in ({'dataset': told}, {'data': told, 'dataset': 'mnist'}):
    assert facts.dataset(result) == 'mnist'
    assert facts.train_count(result) == 60000
    assert facts.provenance(result) == told


def test_baselines_under_another_protocol_are_left_out():
  assert list(facts.comparable(SCORES)) == ['random', 'herding']


def test_the_lead_is_in_points():
  assert facts.lead(SCORES, 'random') == '+23.5 points'
  assert facts.lead(SCORES, 'kmeans') is None


def test_a_factorised_set_is_told_by_its_parameterization():
  of = lambda name: {'config': {'parameterization': {'name': name}}}
  assert facts.factorised(of('memory')) and not facts.factorised(of('pixels'))


def test_an_empty_result_says_nothing_wrong():
  assert facts.train_count({}) is None and facts.plain_images({}) is None
  assert facts.protocol({}) == 'unnamed' and facts.selection({}) == ''
  assert not facts.factorised({}) and facts.comparable({}) == {}


@pytest.mark.parametrize(
  ('value', 'flat'),
  [
    ({'a': {'b': 1, 'c': {}}, 'd': 'x'}, {'r.a.b': 1, 'r.a.c': {}, 'r.d': 'x'}),
    (3, {'r': 3}),
  ],
)
def test_fields_go_by_their_full_names(value, flat):
  assert dict(facts.flat('r', value)) == flat


def test_text_is_json_but_for_a_strings_quotes():
  assert facts.text('plain') == 'plain'
  assert facts.text(None) == 'null' and facts.text([1, 'a']) == '[1, "a"]'


def test_distilling_is_all_that_is_waited_for():
  spent = {'load': 9.0, 'compile': 3.0, 'distil': 61.0, 'validate': 2.0}
  assert facts.distilling({'seconds': spent}) == 66.0
  assert facts.distilling({'seconds': {'distil': None}}) is None
  assert facts.distilling({}) is None
