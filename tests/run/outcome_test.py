"""What a notebook and a prompt are shown of a run."""

import html

import numpy as np
import pytest

from dd_jax import artifact, from_arrays
from dd_jax.data.prepare import prepare
from dd_jax.run.outcome import Outcome
from dd_jax.types import DistilledData

RESULT = {
  'method': 'kip',
  'dataset': 'digits',
  'protocol': 'krr-ntk',
  'test_accuracy': {'mean': 95.66, 'std': None, 'values': [95.66]},
}
METRICS = [{'step': i, 'loss': 1 / i} for i in (1, 2, 3)]
VALIDATION = [{'step': i, 'accuracy': 90.0 + i} for i in (1, 2, 3)]


@pytest.fixture
def held():
  rng = np.random.default_rng(0)
  image = rng.uniform(size=(40, 8, 8, 3))
  source = from_arrays(image, np.arange(40) % 4)
  fitted = prepare(source, 'standardise').preprocessing
  data = DistilledData(image[:8].astype(np.float32), np.eye(4).repeat(2, 0))
  metadata = {'class_names': ['a', '<b>', 'c', 'd']}
  return artifact.Artifact(data, fitted, None, metadata)


def page_of(shown):
  frame = shown._repr_html_()
  assert frame.count('<iframe') == 1 and frame.endswith('</iframe>')
  return html.unescape(frame.partition('srcdoc="')[2].partition('"')[0])


def test_a_notebook_shows_the_report(held):
  outcome = Outcome(held, RESULT, METRICS, VALIDATION)
  page = page_of(outcome)
  assert page == outcome.report()
  for said in ('KIP on Digits', '95.7', 'Loss', 'Validation accuracy'):
    assert said in page, said
  assert 'Beside this page' not in page  # there is no folder around it


def test_a_notebook_shows_a_set(held):
  page = page_of(held)
  for said in ('A distilled set', '8 distilled images', '&lt;b&gt;', 'Labels'):
    assert said in page, said
  known = held._replace(
    metadata={**held.metadata, 'method': 'dm', 'dataset': {'name': 'mnist'}}
  )
  assert '<h1>DM on MNIST</h1>' in page_of(known)


def test_a_prompt_shows_one_short_line(held):
  outcome = Outcome(held, RESULT)
  assert repr(outcome) == 'Outcome(KIP on Digits: 95.7 % under krr-ntk)'
  assert repr(held) == 'Artifact(image=[8, 8, 8, 3], label=[8, 4])'
  made, result = outcome
  assert made is held and result is RESULT
