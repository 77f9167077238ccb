"""Probabilities and agreement, against loops over examples."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.evaluation.metrics import measured


def softmax(z):
  p = np.exp(z - z.max(-1, keepdims=True))
  return p / p.sum(-1, keepdims=True)


def ece(p, label, bins=15):
  """Guo's, example by example."""
  held = [[] for _ in range(bins)]
  for row, real in zip(p, label, strict=True):
    share = row.max()
    place = next(b for b in range(bins) if share <= (b + 1) / bins)
    held[place].append((share, row.argmax() == real))
  total = 0
  for group in held:
    if group:
      share, right = np.mean(group, 0)
      total += len(group) / len(label) * abs(right - share)
  return 100 * total


def adaptive(p, label, bins=15):
  order = np.argsort(p.max(-1))
  right = p.argmax(-1) == label
  return 100 * sum(
    len(part) / len(label) * abs(np.mean(right[part] - p.max(-1)[part]))
    for part in np.array_split(order, bins)
  )


@pytest.mark.parametrize('name', ['nll', 'ece', 'adaptive_ece'])
def test_it_is_what_a_loop_finds(name, case, answers):
  p, label = softmax(answers), case.pixels.label
  expected = {
    'nll': lambda p: -np.mean([np.log(p[i, y]) for i, y in enumerate(label)]),
    'ece': lambda p: ece(p, label),
    'adaptive_ece': lambda p: adaptive(p, label),
  }[name]
  found = measured([name], case)[name]
  np.testing.assert_allclose(found.values, list(map(expected, p)), rtol=1e-3)
  assert found.mean == pytest.approx(np.mean(found.values), abs=1e-4)
  assert found.std == pytest.approx(np.std(found.values, ddof=1), abs=1e-4)


def test_agreement_is_counted_pair_by_pair(case, answers):
  said = answers.argmax(-1)
  expected = [
    100 * np.mean([np.mean(a == b) for j, b in enumerate(said) if j != i])
    for i, a in enumerate(said)
  ]
  found = measured(['agreement'], case)['agreement']
  np.testing.assert_allclose(found.values, expected, atol=1e-3)


def test_a_single_learner_agrees_with_nobody(case):
  alone = dataclasses.replace(case, learners=case.learners[:1])
  assert measured(['agreement', 'nll'], alone).keys() == {'nll'}


def test_a_learner_that_diverged_has_no_likelihood(case):
  """And no other figure hides it: the mean is not known."""
  bad = case.learners.at[1].set(jnp.nan)
  found = measured(
    ['nll', 'ece', 'agreement'], dataclasses.replace(case, learners=bad)
  )
  for name in ('nll', 'ece'):
    assert found[name].values[1] is None and found[name].mean is None
    assert found[name].values[0] is not None
  assert found['agreement'].values[1] == 0
